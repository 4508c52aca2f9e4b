#include "bindings/model.h"

#include <utility>

#include "bindings/arguments.h"
#include "bindings/environment.h"
#include "bindings/results.h"

namespace torch_t5 {

void Model::define(Napi::Env env) {
  Napi::Function constructor = DefineClass(env, "NativeModel",
                                           {
                                               InstanceMethod<&Model::forward>("forward"),
                                               InstanceMethod<&Model::cancel>("cancel"),
                                               InstanceMethod<&Model::dispose>("dispose"),
                                               InstanceAccessor<&Model::device>("device"),
                                               InstanceAccessor<&Model::intraOpThreads>("intraOpThreads"),
                                           });
  Environment::of(env).modelConstructor = Napi::Persistent(constructor);
}

Napi::Value Model::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&]() -> Napi::Value {
    Environment& environment = Environment::of(env);
    const auto deferred = Napi::Promise::Deferred::New(env);
    const auto runner = std::make_shared<ModelRunner>(toLoadOptions(info));
    environment.add(runner);
    runner->load(
        environment.beginCall<ModelInfo>(deferred, [runner](Napi::Env env, Outcome<ModelInfo> outcome) -> Napi::Value {
          if (std::holds_alternative<Error>(outcome)) Environment::of(env).retire(runner);
          return wrap(env, runner, valueOrThrow(env, std::move(outcome)));
        }));
    return deferred.Promise();
  });
}

Napi::Object Model::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, ModelInfo loaded) {
  Environment& environment = Environment::of(env);
  Napi::Object object = environment.modelConstructor.New({});
  Model& model = *Unwrap(object);
  model.environment_ = environment.weak_from_this();
  model.runner_ = std::move(runner);
  model.loaded_ = std::move(loaded);
  return object;
}

Model::Model(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

Model::~Model() {
  const auto environment = environment_.lock();
  if (environment && runner_) environment->retire(runner_);
}

Napi::Value Model::forward(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&]() -> Napi::Value {
    if (!runner_) throw Error(ErrorCode::kDisposed, "Expected a model in use but received one that was never loaded");
    ForwardRequest request = toForwardRequest(info);
    const std::uint64_t id = toCallId(info[0].As<Napi::Object>().Get("id"));
    const auto deferred = Napi::Promise::Deferred::New(env);
    const Settle<ForwardResult> settle = Environment::of(env).beginCall<ForwardResult>(
        deferred, [](Napi::Env env, Outcome<ForwardResult> outcome) -> Napi::Value {
          return toJavaScript(env, valueOrThrow(env, std::move(outcome)));
        });
    try {
      runner_->forward(id, std::move(request), settle);
    } catch (const Error& error) {
      settle(error);
    }
    return deferred.Promise();
  });
}

void Model::cancel(const Napi::CallbackInfo& info) {
  withErrors(info.Env(), [&] {
    const std::uint64_t id = toCallId(info[0]);
    if (runner_) runner_->cancel(id);
  });
}

Napi::Value Model::dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!disposal_.IsEmpty()) return disposal_.Value();
  const auto deferred = Napi::Promise::Deferred::New(env);
  disposal_ = Napi::Persistent(deferred.Promise().As<Napi::Promise>());
  if (!runner_) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  struct Nothing {};
  const Settle<Nothing> settle = Environment::of(env).beginCall<Nothing>(
      deferred, [runner = runner_](Napi::Env env, Outcome<Nothing>) -> Napi::Value {
        Environment::of(env).remove(runner);
        return env.Undefined();
      });
  runner_->dispose([settle] { settle(Nothing{}); });
  return deferred.Promise();
}

Napi::Value Model::device(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), loaded_.device); }

Napi::Value Model::intraOpThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), loaded_.intraOpThreads);
}

}  // namespace torch_t5
