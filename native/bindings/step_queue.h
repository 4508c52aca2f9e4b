// The steps of a search between the scheduler's thread, which computes them ahead, and JavaScript, which asks for them.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "core/errors.h"
#include "runtime/request.h"

namespace torch_t5 {

/// Used on any thread. Callbacks are called without the mutex.
template <class Step>
class StepQueue {
 public:
  /// Passes a step to the first of those who ask.
  void push(Step step) {
    std::unique_lock lock(mutex_);
    if (asking_.empty()) {
      steps_.push_back(std::move(step));
      return;
    }
    const Callback<Step> callback = std::move(asking_.front());
    asking_.pop_front();
    lock.unlock();
    callback(std::move(step));
  }

  /// The next step, if it has been computed.
  std::optional<Step> take() {
    const std::lock_guard lock(mutex_);
    if (steps_.empty()) return std::nullopt;
    Step step = std::move(steps_.front());
    steps_.pop_front();
    return step;
  }

  /// Calls `callback` with the next step, now or later.
  void ask(Callback<Step> callback) {
    std::unique_lock lock(mutex_);
    if (steps_.empty() && !end_) {
      asking_.push_back(std::move(callback));
      return;
    }
    if (steps_.empty()) {
      const Error error = *end_;
      lock.unlock();
      callback(error);
      return;
    }
    Step step = std::move(steps_.front());
    steps_.pop_front();
    lock.unlock();
    callback(std::move(step));
  }

  /// No more steps follow: whoever asks for one after the last receives `error`.
  void end(const Error& error) {
    std::deque<Callback<Step>> asking;
    {
      const std::lock_guard lock(mutex_);
      if (!end_) end_ = error;
      asking.swap(asking_);
    }
    for (const Callback<Step>& callback : asking) callback(error);
  }

  /// As `end`, and drops the steps that nobody has asked for.
  void close(const Error& error) {
    {
      const std::lock_guard lock(mutex_);
      steps_.clear();
    }
    end(error);
  }

 private:
  std::mutex mutex_;
  std::deque<Step> steps_;
  std::deque<Callback<Step>> asking_;
  std::optional<Error> end_;
};

}  // namespace torch_t5
