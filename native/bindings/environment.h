// What one Node environment (the main thread or a worker) holds: its models, its buffers, and the way back to its
// thread. Nothing is kept per process, so that the addon loads in workers and more than once.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "bindings/javascript_errors.h"
#include "bindings/tensor_buffers.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

/// Used on JavaScript's thread; only the `Callback`s that it hands out may be called elsewhere.
class Environment : public std::enable_shared_from_this<Environment> {
 public:
  /// Makes the environment's data; it lives as long as the environment does.
  static Environment& create(Napi::Env env);
  static Environment& of(Napi::Env env);

  /// Registers a call: it keeps the event loop alive until the returned function has been called. `finish` then turns
  /// the outcome into what `deferred` resolves to, on JavaScript's thread; what it throws is the rejection.
  template <class Value>
  Callback<Value> beginCall(Napi::Promise::Deferred deferred,
                            std::function<Napi::Value(Napi::Env, Outcome<Value>)> finish);

  /// Throws ERR_DISPOSED after `shutDown`.
  void add(std::shared_ptr<ModelRunner> runner);

  /// Lets go of a model once its accepted calls have ended.
  void retire(const std::shared_ptr<ModelRunner>& runner);

  /// Forgets a disposed model and joins its thread, which has ended or is about to.
  void remove(const std::shared_ptr<ModelRunner>& runner) { runners_.erase(runner); }

  TensorBuffers& buffers() { return *buffers_; }

  /// Aborts every call and ends every thread, for good. Waits for what each is in the middle of.
  void shutDown();

  /// Of the native classes, by their tags.
  std::unordered_map<const napi_type_tag*, Napi::FunctionReference> constructors;

 private:
  using Action = std::function<void(Napi::Env)>;

  explicit Environment(Napi::Env env);

  /// Runs `action` on JavaScript's thread, later. From any thread.
  void post(Action action);
  void endCall();

  static void runAction(napi_env env, napi_value callback, void* context, void* data);
  static void onCleanup(void* self);

  Napi::Env env_;
  napi_threadsafe_function toJavaScriptThread_ = nullptr;
  std::size_t pendingCalls_ = 0;
  bool shutDown_ = false;
  std::shared_ptr<TensorBuffers> buffers_ = std::make_shared<TensorBuffers>();
  std::unordered_set<std::shared_ptr<ModelRunner>> runners_;
};

/// The value, or the error thrown as a JavaScript one.
template <class Value>
Value valueOrThrow(Napi::Env env, Outcome<Value> outcome) {
  if (const Error* error = std::get_if<Error>(&outcome)) throw toJavaScript(env, *error);
  return std::get<Value>(std::move(outcome));
}

template <class Value>
Callback<Value> Environment::beginCall(Napi::Promise::Deferred deferred,
                                       std::function<Napi::Value(Napi::Env, Outcome<Value>)> finish) {
  if (pendingCalls_++ == 0) napi_ref_threadsafe_function(env_, toJavaScriptThread_);
  return [this, deferred, finish = std::move(finish)](Outcome<Value> outcome) {
    const auto shared = std::make_shared<Outcome<Value>>(std::move(outcome));
    post([this, deferred, finish, shared](Napi::Env env) {
      endCall();
      try {
        deferred.Resolve(withErrors(env, [&] { return finish(env, std::move(*shared)); }));
      } catch (const Napi::Error& error) {
        deferred.Reject(error.Value());
      }
    });
  };
}

}  // namespace torch_t5
