// One Node environment (the main thread or a worker): its models, its buffers, and the calls that are on other threads.
// Nothing is kept per process, so that the addon can be loaded in workers and more than once.
//
//   JavaScript's thread                       a model's scheduler thread
//   startCall: promise, beginCall, submit --> request
//   ToJs, promise settled                 <-- Callback
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include "bindings/results.h"
#include "core/errors.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

/// Turns a call's outcome into the value that its promise resolves to, on JavaScript's thread. The promise rejects with
/// what it throws.
template <class Value>
using ToJs = std::function<Napi::Value(Napi::Env, Outcome<Value>)>;

/// Used on JavaScript's thread; only the `Callback`s that it returns may be called on others.
class Environment : public std::enable_shared_from_this<Environment> {
 public:
  /// Creates the environment's data, which lives as long as the environment.
  static Environment& create(Napi::Env env);
  static Environment& of(Napi::Env env);

  /// Registers a call, which keeps the event loop alive until the returned function is called. That function settles
  /// the promise of `deferred` with what `convert` returns or throws.
  template <class Value>
  Callback<Value> beginCall(Napi::Promise::Deferred deferred, ToJs<Value> convert);

  /// Throws ERR_DISPOSED after `shutDown`.
  void add(std::shared_ptr<ModelRunner> runner);

  /// Disposes a model that JavaScript no longer holds, and removes it once its accepted calls have ended.
  void retire(const std::shared_ptr<ModelRunner>& runner);

  /// Frees a disposed model and joins its thread, which has ended or is about to end.
  void remove(const std::shared_ptr<ModelRunner>& runner) { runners_.erase(runner); }

  TensorBuffers& buffers() { return *buffers_; }

  /// Sets the function that is called with the id of an observed request, its progress ("queued", "started",
  /// "firstToken"), the milliseconds since it was queued, and with "queued" its rows and input tokens.
  void observe(const Napi::Function& observer) { observer_ = Napi::Persistent(observer); }

  /// Reports to the observer that a request is queued. The result reports its progress.
  ProgressCallback observeRequest(std::uint64_t id, const RequestSize& size);

  /// Aborts every call and ends every thread, for good. Waits for the operator that each thread is running.
  void shutDown();

  /// The constructors of the native classes, by the address of the class's tag.
  std::unordered_map<const napi_type_tag*, Napi::FunctionReference> constructors;

 private:
  using Action = std::function<void(Napi::Env)>;

  explicit Environment(Napi::Env env);

  /// Runs `action` on JavaScript's thread, later. May be called on any thread.
  void post(Action action);
  void endCall();

  static void runAction(napi_env env, napi_value callback, void* context, void* data);
  static void onCleanup(void* self);

  Napi::Env env_;
  napi_threadsafe_function toJavaScriptThread_ = nullptr;
  std::size_t pendingCalls_ = 0;
  bool isShutDown_ = false;
  Napi::FunctionReference observer_;
  std::shared_ptr<TensorBuffers> buffers_ = std::make_shared<TensorBuffers>();
  std::unordered_set<std::shared_ptr<ModelRunner>> runners_;
};

/// A JavaScript Error with the message and the `code`. lib/ turns it into a T5Error with the caller's stack.
Napi::Error toJs(Napi::Env env, const Error& error);

/// Runs `body`, and throws the C++ exceptions that it throws as JavaScript errors: no other exception may reach Node.
template <class Body>
auto withErrors(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw toJs(env, error);
  } catch (const std::bad_alloc&) {
    throw toJs(env, Error(ErrorCode::kOutOfMemory, "The process is out of memory"));
  }
}

/// Throws an outcome's error as a JavaScript error.
template <class Value>
Value valueOrThrow(Napi::Env env, Outcome<Value> outcome) {
  if (const Error* error = std::get_if<Error>(&outcome)) throw toJs(env, *error);
  return std::get<Value>(std::move(outcome));
}

/// Throws an outcome's error, or returns what `convert(env, value)` returns.
template <class Value, class Convert>
ToJs<Value> valueToJs(Convert convert) {
  return [convert = std::move(convert)](Napi::Env env, Outcome<Value> outcome) -> Napi::Value {
    return convert(env, valueOrThrow(env, std::move(outcome)));
  };
}

/// Throws an outcome's error, or returns what `toJs(env, value)` returns.
template <class Value>
ToJs<Value> valueToJs() {
  return valueToJs<Value>([](Napi::Env env, Value value) { return toJs(env, std::move(value)); });
}

template <class Value>
Callback<Value> Environment::beginCall(Napi::Promise::Deferred deferred, ToJs<Value> convert) {
  if (pendingCalls_++ == 0) napi_ref_threadsafe_function(env_, toJavaScriptThread_);
  return [this, deferred, convert = std::move(convert)](Outcome<Value> outcome) {
    const auto shared = std::make_shared<Outcome<Value>>(std::move(outcome));
    post([this, deferred, convert, shared](Napi::Env env) {
      endCall();
      try {
        deferred.Resolve(withErrors(env, [&] { return convert(env, std::move(*shared)); }));
      } catch (const Napi::Error& error) {
        deferred.Reject(error.Value());
      }
    });
  };
}

/// Runs a request on a model's scheduler and returns the call's promise, which also rejects if the model does not
/// accept the request. Throws ERR_DISPOSED for a null `runner`.
template <class Value>
Napi::Promise startCall(Napi::Env env, const std::shared_ptr<ModelRunner>& runner, const Scheduling& scheduling,
                        typename Request<Value>::Start start, ToJs<Value> convert) {
  if (!runner) throw Error(ErrorCode::kDisposed, "Expected a model in use but received one that was never loaded");
  const auto deferred = Napi::Promise::Deferred::New(env);
  const Callback<Value> settlePromise = Environment::of(env).beginCall<Value>(deferred, std::move(convert));
  try {
    ProgressCallback progress;
    if (scheduling.isObserved) progress = Environment::of(env).observeRequest(scheduling.id, scheduling.size);
    runner->submit<Value>(scheduling, std::move(start), settlePromise, std::move(progress));
  } catch (const Error& error) {
    settlePromise(error);
  }
  return deferred.Promise();
}

}  // namespace torch_t5
