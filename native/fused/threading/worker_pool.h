// The threads that help the inference threads of all models: one pool a process, so that several models never start
// more threads than the process has use for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace torch_t5 {

/// What one call hands out: `work(task, thread)` for every task, on any thread, in any order. It must not throw.
/// `thread`: from 0 to the number of threads less 1; no two at a time have the same.
using PoolWork = std::function<void(std::int64_t task, std::int64_t thread)>;

class WorkerPool {
 public:
  /// The process's. It is never destroyed: its threads sleep until the process ends.
  static WorkerPool& shared();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Does all tasks on at most `threads` threads, the caller's among them, and returns when they are done. The caller
  /// never waits for a thread that hasn't begun: where helpers sleep, or work for another caller, it does the tasks
  /// alone.
  void run(std::int64_t tasks, std::int64_t threads, const PoolWork& work);

 private:
  WorkerPool() = default;

  void startHelpers(std::size_t count);
  void help(std::int64_t thread);
  void workOn(std::int64_t thread);
  bool join(std::uint32_t& seen);

  // A number of the job, whether it may be joined, and how many helpers are in it.
  static constexpr std::uint32_t kOpen = 1U << 15;
  static constexpr std::uint32_t kHelpers = kOpen - 1;
  static constexpr std::uint32_t kNextJob = 1U << 16;

  std::mutex callers_;  // held by the caller whose job it is
  std::vector<std::thread> helpers_;
  alignas(64) std::atomic<std::uint32_t> state_{0};
  alignas(64) std::atomic<std::int64_t> nextTask_{0};
  std::int64_t tasks_ = 0;
  std::int64_t threads_ = 0;
  const PoolWork* work_ = nullptr;
};

}  // namespace torch_t5
