// Cooperative cancellation: any thread requests it, and the computing thread checks for it at points that the engine
// chooses.
#pragma once

#include <atomic>
#include <utility>

#include "core/errors.h"

namespace torch_t5 {

/// The error of an aborted call.
inline Error aborted() { return {ErrorCode::kAborted, "The call was aborted"}; }

/// Set by any thread, read by the thread that computes.
class Cancellation {
 public:
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> requested_{false};
};

/// While the scope lives, computations of this thread check `cancellation`, and not that of the scope around it.
class CancellationScope {
 public:
  explicit CancellationScope(const Cancellation& cancellation) noexcept
      : outer_(std::exchange(current_, &cancellation)) {}
  ~CancellationScope() { current_ = outer_; }
  CancellationScope(const CancellationScope&) = delete;
  CancellationScope& operator=(const CancellationScope&) = delete;

  static bool requested() noexcept { return current_ != nullptr && current_->requested(); }

  /// Throws ERR_ABORTED if cancellation of this thread's computation was requested.
  static void check() {
    if (requested()) throw aborted();
  }

 private:
  static inline thread_local const Cancellation* current_ = nullptr;
  const Cancellation* outer_;
};

}  // namespace torch_t5
