// Interludes: a long computation offers them at points where other work may run on the same thread.
#pragma once

#include <functional>
#include <utility>

namespace torch_t5 {

/// While the scope lives, computations of this thread offer interludes to `run`, which must not throw. Interludes offer
/// none themselves. Null: no interludes.
class InterludeScope {
 public:
  explicit InterludeScope(const std::function<void()>* run) noexcept : outer_(std::exchange(current_, run)) {}
  ~InterludeScope() { current_ = outer_; }
  InterludeScope(const InterludeScope&) = delete;
  InterludeScope& operator=(const InterludeScope&) = delete;

  static void offer() {
    if (current_ == nullptr) return;
    const std::function<void()>& run = *current_;
    const InterludeScope none(nullptr);
    run();
  }

 private:
  static inline thread_local const std::function<void()>* current_ = nullptr;
  const std::function<void()>* outer_;
};

}  // namespace torch_t5
