// A request of JavaScript as the scheduler's work: a task that uses the engine, and the callback for its result.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

#include "core/errors.h"
#include "core/task.h"
#include "engine/libtorch_errors.h"
#include "engine/shared_engine.h"
#include "runtime/scheduler.h"

namespace torch_t5 {

/// The result of a call on another thread: a value or an error.
template <class Value>
using Outcome = std::variant<Value, Error>;

/// Called exactly once, on any thread. Must not throw.
template <class Value>
using Callback = std::function<void(Outcome<Value>)>;

/// What `compute` returns or throws.
template <class Value, class Compute>
Outcome<Value> outcomeOf(Compute&& compute) noexcept {
  try {
    return compute();
  } catch (...) {
    return describeCurrentException();
  }
}

/// Work that waits for engine calls.
class EngineWork : public Work {
 public:
  /// The call that it waits for. Null: it has ended.
  virtual EngineCall* call() const = 0;
};

/// A request's work. `start` is called on the scheduler's thread, and returns the task that computes the result.
template <class Value>
class Request final : public EngineWork {
 public:
  using Start = std::function<Task<Value>(SharedEngine&)>;

  /// `engine`: a pointer that is set when the work starts.
  Request(Engine* const& engine, Start start, Callback<Value> callback)
      : engine_(engine), start_(std::move(start)), callback_(std::move(callback)) {}

  void start() override {
    shared_.emplace(*engine_);
    try {
      task_.emplace(start_(*shared_));
      task_->start();
    } catch (...) {  // there was no memory for the task
      callback_(describeCurrentException());
      task_.reset();
    }
  }

  Wait wait() const override {
    if (const EngineCall* waited = call()) {
      if (waited->isStep()) return Wait::kStep;
      const bool decodes = std::holds_alternative<DecodeCall>(waited->call);
      // Where bits depend on the batch, engines run prefills by themselves.
      return decodes && shared_->isBatchInvariant() ? Wait::kPrefill : Wait::kCall;
    }
    const Credit* credit = shared_ ? shared_->waitsForCredit() : nullptr;
    if (credit == nullptr) return Wait::kNothing;
    return credit->isLeft() ? Wait::kCredit : Wait::kConsumer;
  }

  std::int64_t positions() const override { return call()->positions(); }

  std::int64_t steps() const override { return call()->steps(); }

  void resume() override {
    if (call() != nullptr && !call()->hasEnded()) return;  // it needs more passes
    shared_->resume();
  }

  void fail(const Error& error) override { shared_->fail(std::make_exception_ptr(error)); }

  void settle() override {
    if (!task_ || !task_->done()) return;
    callback_(outcomeOf<Value>([this] { return task_->take(); }));
    task_.reset();
  }

  EngineCall* call() const override { return shared_ ? shared_->waitsFor() : nullptr; }

 private:
  Engine* const& engine_;
  Start start_;
  Callback<Value> callback_;
  std::optional<SharedEngine> shared_;  // from the start on
  std::optional<Task<Value>> task_;     // uses `shared_`
};

}  // namespace torch_t5
