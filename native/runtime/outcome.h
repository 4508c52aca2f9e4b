// How the result of work on another thread comes back: a value, or the error that took its place.
#pragma once

#include <functional>
#include <variant>

#include "core/errors.h"
#include "engine/error_barrier.h"

namespace torch_t5 {

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

}  // namespace torch_t5
