// Ends a computation early: one thread asks, the computing thread looks at the places that the engine chose.
#pragma once

#include <atomic>

#include "core/errors.h"

namespace torch_t5 {

/// What an aborted call ends with.
inline Error aborted() { return {ErrorCode::kAborted, "The call was aborted"}; }

/// Set by any thread, read by the thread that computes.
class Cancellation {
 public:
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> requested_{false};
};

/// Makes `cancellation` the one that this thread's computations look at, while the scope lives. Scopes don't nest.
class CancellationScope {
 public:
  explicit CancellationScope(const Cancellation& cancellation) noexcept { current_ = &cancellation; }
  ~CancellationScope() { current_ = nullptr; }
  CancellationScope(const CancellationScope&) = delete;
  CancellationScope& operator=(const CancellationScope&) = delete;

  static bool requested() noexcept { return current_ != nullptr && current_->requested(); }

  /// Throws ERR_ABORTED where this thread's computation was asked to end.
  static void check() {
    if (requested()) throw aborted();
  }

 private:
  static inline thread_local const Cancellation* current_ = nullptr;
};

}  // namespace torch_t5
