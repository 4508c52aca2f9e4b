// The worker threads of the fused engine. One pool serves the schedulers of all models in the process, so that
// several models together do not start more threads than the process can use.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "fused/block_sizes.h"

namespace torch_t5 {

namespace kernels {
struct Kernels;
}

/// One task of a job. It may run on any thread and in any order, and must not throw. `thread`: from 0 to the job's
/// number of threads less 1; no two tasks that run at the same time get the same.
using TaskFunction = std::function<void(std::int64_t task, std::int64_t thread)>;

class WorkerPool {
 public:
  /// The pool of the process. It is never destroyed: its threads sleep until the process ends.
  static WorkerPool& shared();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs tasks 0 to `tasks - 1` on at most `threads` threads, including the caller's, and returns when all are done.
  /// The caller never waits for a worker to start. If all workers sleep or serve another caller, it runs the tasks
  /// alone.
  void run(std::int64_t tasks, std::int64_t threads, const TaskFunction& work);

 private:
  WorkerPool() = default;

  void startWorkers(std::size_t count);
  void runWorker(std::int64_t thread);
  void runTasks(std::int64_t thread);
  bool joinNextJob(std::uint32_t& seen);

  // The bits of `state_`: the job's number, whether it may be joined, and the number of workers in it.
  static constexpr std::uint32_t kOpen = 1U << 15;
  static constexpr std::uint32_t kWorkers = kOpen - 1;
  static constexpr std::uint32_t kNextJob = 1U << 16;

  std::mutex caller_;  // held by the caller of the current job
  std::vector<std::thread> workers_;
  alignas(64) std::atomic<std::uint32_t> state_{0};
  alignas(64) std::atomic<std::int64_t> nextTask_{0};
  std::int64_t tasks_ = 0;
  std::int64_t threads_ = 0;
  const TaskFunction* work_ = nullptr;
};

/// What one model computes with: its kernels, its number of threads of the pool, and the sizes of parts of its work.
struct Executor {
  const kernels::Kernels& kernels;
  std::int64_t threads;
  BlockSizes blocks = {};

  /// `WorkerPool::run` on the model's threads.
  void run(std::int64_t tasks, const TaskFunction& work) const { WorkerPool::shared().run(tasks, threads, work); }

  /// `run` of tasks that may throw. Throws the first exception after all tasks have ended; those that have not started
  /// by then do nothing.
  void runOrThrow(std::int64_t tasks, const TaskFunction& work) const;
};

}  // namespace torch_t5
