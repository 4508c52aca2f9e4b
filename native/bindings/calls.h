// Calls that a model's inference thread works on.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <utility>

#include "bindings/environment.h"
#include "core/errors.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

/// The same that `Environment::beginCall` takes.
template <class Value>
using Finish = std::function<Napi::Value(Napi::Env, Outcome<Value>)>;

/// Starts a call and returns its promise. A call that isn't even accepted rejects as well.
template <class Value>
Napi::Promise startCall(Napi::Env env, const std::shared_ptr<ModelRunner>& runner, std::uint64_t id,
                        std::function<Value(Engine&)> compute, Finish<Value> finish) {
  if (!runner) throw Error(ErrorCode::kDisposed, "Expected a model in use but received one that was never loaded");
  const auto deferred = Napi::Promise::Deferred::New(env);
  const Callback<Value> callback = Environment::of(env).beginCall<Value>(deferred, std::move(finish));
  try {
    runner->submit<Value>(id, std::move(compute), callback);
  } catch (const Error& error) {
    callback(error);
  }
  return deferred.Promise();
}

/// A finish that only turns the value into JavaScript's.
template <class Value, class Convert>
Finish<Value> converting(Convert convert) {
  return [convert = std::move(convert)](Napi::Env env, Outcome<Value> outcome) -> Napi::Value {
    return convert(env, valueOrThrow(env, std::move(outcome)));
  };
}

}  // namespace torch_t5
