#include "fused/threading/worker_pool.h"

#include <algorithm>
#include <exception>
#include <system_error>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace torch_t5 {
namespace {

/// How often a worker checks for the next job before it sleeps: about 50 microseconds. The next product of a decoding
/// step follows within a few microseconds.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

WorkerPool& WorkerPool::shared() {
  static auto* pool = new WorkerPool;
  return *pool;
}

void WorkerPool::run(std::int64_t tasks, std::int64_t threads, const TaskFunction& work) {
  threads = std::min(threads, tasks);
  std::unique_lock lock(caller_, std::defer_lock);
  if (threads <= 1 || !lock.try_lock()) {
    for (std::int64_t task = 0; task < tasks; ++task) work(task, 0);
    return;
  }
  startWorkers(static_cast<std::size_t>(threads - 1));
  work_ = &work;
  tasks_ = tasks;
  threads_ = threads;
  nextTask_.store(0, std::memory_order_relaxed);
  const std::uint32_t job = (state_.load(std::memory_order_relaxed) & ~(kNextJob - 1)) + kNextJob;
  state_.store(job | kOpen, std::memory_order_release);
  state_.notify_all();
  runTasks(0);
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int spins = 0; (state_.load(std::memory_order_acquire) & kWorkers) != 0; ++spins) {
    if (spins < kSpins) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void WorkerPool::startWorkers(std::size_t count) {
  try {
    while (workers_.size() < count)
      workers_.emplace_back([this, thread = static_cast<std::int64_t>(workers_.size()) + 1] { runWorker(thread); });
  } catch (const std::system_error&) {
    // The system has no more threads: the existing ones do the work.
  }
}

void WorkerPool::runWorker(std::int64_t thread) {
  std::uint32_t seen = 0;
  for (;;) {
    if (!joinNextJob(seen)) continue;
    if (thread < threads_) runTasks(thread);
    state_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

/// Waits for a job after `seen`. Returns whether the worker has joined it: a closed job cannot be joined.
bool WorkerPool::joinNextJob(std::uint32_t& seen) {
  std::uint32_t state = state_.load(std::memory_order_acquire);
  for (int spins = 0; (state & ~(kNextJob - 1)) == seen; ++spins) {
    if (spins < kSpins) {
      pause();
    } else {
      state_.wait(state, std::memory_order_acquire);
    }
    state = state_.load(std::memory_order_acquire);
  }
  seen = state & ~(kNextJob - 1);
  while ((state & ~(kNextJob - 1)) == seen && (state & kOpen) != 0) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void WorkerPool::runTasks(std::int64_t thread) {
  for (;;) {
    const std::int64_t task = nextTask_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    (*work_)(task, thread);
  }
}

void Executor::runOrThrow(std::int64_t tasks, const TaskFunction& work) const {
  std::atomic<bool> hasFailed = false;
  std::mutex mutex;
  std::exception_ptr first;
  run(tasks, [&](std::int64_t task, std::int64_t thread) {
    if (hasFailed.load(std::memory_order_relaxed)) return;
    try {
      work(task, thread);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
      hasFailed.store(true, std::memory_order_relaxed);
    }
  });
  if (first) std::rethrow_exception(first);
}

}  // namespace torch_t5
