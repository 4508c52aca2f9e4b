// How one model computes: with which kernels, on how many threads.
#pragma once

#include <cstdint>

#include "fused/kernels/kernels.h"
#include "fused/threading/worker_pool.h"

namespace torch_t5 {

struct Parallel {
  const kernels::Kernels& kernels;
  std::int64_t threads;

  /// `work(task, thread)` for every task; it must not throw.
  void run(std::int64_t tasks, const PoolWork& work) const { WorkerPool::shared().run(tasks, threads, work); }
};

}  // namespace torch_t5
