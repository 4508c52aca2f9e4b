// A coroutine that computes a value. It starts when it is awaited or started, and suspends wherever it waits for
// something that another part of the program provides.
//
//   Task<int> twice(Task<int> number) { co_return 2 * co_await std::move(number); }
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace torch_t5 {

template <class Value>
class [[nodiscard]] Task {
 public:
  class promise_type {
   public:
    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept { return Return{}; }
    void unhandled_exception() noexcept { exception_ = std::current_exception(); }
    template <class Result>
    void return_value(Result&& value) {
      value_.emplace(std::forward<Result>(value));
    }

   private:
    friend class Task;

    /// Continues the coroutine that awaits this one.
    struct Return {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
        return ended.promise().awaiting_;
      }
      void await_resume() noexcept {}
    };

    std::coroutine_handle<> awaiting_ = std::noop_coroutine();
    std::optional<Value> value_;
    std::exception_ptr exception_;
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  /// Runs the coroutine until it suspends for the first time or ends. Call it once, and only if nothing awaits it.
  void start() { handle_.resume(); }

  bool done() const { return handle_.done(); }

  /// What the coroutine returned. Throws what it threw. Call it once, when it is done.
  Value take() {
    promise_type& promise = handle_.promise();
    if (promise.exception_) std::rethrow_exception(promise.exception_);
    return *std::move(promise.value_);
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      Task& task;
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
        task.handle_.promise().awaiting_ = awaiting;
        return task.handle_;
      }
      Value await_resume() { return task.take(); }
    };
    return Awaiter{*this};
  }

 private:
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}

  Handle handle_;
};

}  // namespace torch_t5
