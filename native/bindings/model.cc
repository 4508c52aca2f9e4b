#include "bindings/model.h"

#include <string>
#include <utility>

#include "bindings/arguments.h"
#include "bindings/calls.h"
#include "bindings/encoder_output.h"
#include "bindings/generation.h"
#include "bindings/head.h"
#include "bindings/results.h"
#include "bindings/values.h"
#include "engine/forward.h"
#include "engine/scoring.h"
#include "torchscript/torchscript_head.h"

namespace torch_t5 {
namespace {

/// A call's request, in memory that the computing thread can share.
template <class Request>
std::shared_ptr<const Request> shared(Request request) {
  return std::make_shared<const Request>(std::move(request));
}

std::shared_ptr<const Head> optionalHead(const Napi::Object& request) {
  const Napi::Value value = request.Get("head");
  if (value.IsUndefined()) return nullptr;
  if (const HeadObject* object = HeadObject::find(value)) return object->head();
  throw Error(ErrorCode::kInvalidArgument, "Expected a head that loadHead gave for head but received another value");
}

}  // namespace

void Model::define(Napi::Env env) {
  defineClass(env, "NativeModel",
              {
                  InstanceMethod<&Model::forward>("forward"),
                  InstanceMethod<&Model::encode>("encode"),
                  InstanceMethod<&Model::embed>("embed"),
                  InstanceMethod<&Model::score>("score"),
                  InstanceMethod<&Model::generate>("generate"),
                  InstanceMethod<&Model::startGeneration>("startGeneration"),
                  InstanceMethod<&Model::loadHead>("loadHead"),
                  InstanceMethod<&Model::uploadTokenTexts>("uploadTokenTexts"),
                  InstanceMethod<&Model::cancel>("cancel"),
                  InstanceMethod<&Model::dispose>("dispose"),
                  InstanceAccessor<&Model::device>("device"),
              });
}

Napi::Value Model::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&]() -> Napi::Value {
    Environment& environment = Environment::of(env);
    const auto deferred = Napi::Promise::Deferred::New(env);
    const auto runner = std::make_shared<ModelRunner>(toLoadOptions(toObject(info[0], "options")));
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
  Model& model = make(env);
  model.environment_ = Environment::of(env).weak_from_this();
  model.runner_ = std::move(runner);
  model.loaded_ = std::move(loaded);
  return model.Value();
}

Model::Model(const Napi::CallbackInfo& info) : NativeObject(info) {}

Model::~Model() {
  const auto environment = environment_.lock();
  if (environment && runner_) environment->retire(runner_);
}

Napi::Value Model::forward(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto request = shared(toForwardRequest(object));
    return startCall<ForwardResult>(
        info.Env(), runner_, toCallId(object.Get("id")),
        [request, head = optionalHead(object)](Engine& engine) { return runForward(engine, *request, head.get()); },
        converting<ForwardResult>(
            [](Napi::Env env, ForwardResult result) { return toJavaScript(env, std::move(result)); }));
  });
}

Napi::Value Model::encode(const Napi::CallbackInfo& info) {
  using Output = std::shared_ptr<const EncoderOutput>;
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto source = shared<EncoderSource>(toSourceIds(toObject(object.Get("source"), "source")));
    return startCall<Output>(
        info.Env(), runner_, toCallId(object.Get("id")),
        [source](Engine& engine) { return encodeIfNeeded(engine, *source); },
        converting<Output>([runner = runner_](Napi::Env env, Output output) {
          return EncoderOutputObject::wrap(env, runner, std::move(output));
        }));
  });
}

Napi::Value Model::embed(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto source = shared(toEncoderSource(object));
    return startCall<at::Tensor>(
        info.Env(), runner_, toCallId(object.Get("id")),
        [source, pooling = toPooling(object)](Engine& engine) {
          return pool(*encodeIfNeeded(engine, *source), pooling);
        },
        converting<at::Tensor>([](Napi::Env env, at::Tensor pooled) { return toJavaScript(env, std::move(pooled)); }));
  });
}

Napi::Value Model::score(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto source = shared(toEncoderSource(object));
    const auto request = shared(toScoreRequest(object));
    return startCall<ScoreResult>(
        info.Env(), runner_, toCallId(object.Get("id")),
        [source, request](Engine& engine) { return runScore(engine, *source, *request); },
        converting<ScoreResult>(
            [](Napi::Env env, ScoreResult result) { return toJavaScript(env, std::move(result)); }));
  });
}

Napi::Value Model::generate(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    GenerateRequest request = toGenerateRequest(object);
    request.texts = texts_;
    return startCall<GenerateResult>(
        info.Env(), runner_, toCallId(object.Get("id")),
        [request = shared(std::move(request))](Engine& engine) { return runGenerate(engine, *request); },
        converting<GenerateResult>(
            [](Napi::Env env, GenerateResult result) { return toJavaScript(env, std::move(result)); }));
  });
}

Napi::Value Model::startGeneration(const Napi::CallbackInfo& info) {
  using Started = std::shared_ptr<Search>;
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    GenerateRequest request = toGenerateRequest(object);
    request.texts = texts_;
    return startCall<Started>(
        info.Env(), runner_, toCallId(object.Get("id")),
        [request = shared(std::move(request))](Engine& engine) -> Started { return startSearch(engine, *request); },
        converting<Started>([runner = runner_](Napi::Env env, Started search) {
          return Generation::wrap(env, runner, std::move(search));
        }));
  });
}

Napi::Value Model::loadHead(const Napi::CallbackInfo& info) {
  using Loaded = std::shared_ptr<const Head>;
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    return startCall<Loaded>(
        info.Env(), runner_, toCallId(object.Get("id")),
        [path = string(object, "path")](Engine& engine) -> Loaded {
          return loadTorchScriptHead(path, engine.device());
        },
        converting<Loaded>([](Napi::Env env, Loaded head) { return HeadObject::wrap(env, std::move(head)); }));
  });
}

void Model::uploadTokenTexts(const Napi::CallbackInfo& info) {
  withErrors(info.Env(), [&] {
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      throw Error(ErrorCode::kInvalidArgument, "Expected a Uint8Array for bytes but received another value");
    }
    const auto bytes = info[0].As<Napi::Uint8Array>();
    texts_ = std::make_shared<const TokenTexts>(
        std::string(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength()), toIds(info[1], "offsets"));
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
  const Callback<Nothing> callback = Environment::of(env).beginCall<Nothing>(
      deferred, [runner = runner_](Napi::Env env, Outcome<Nothing>) -> Napi::Value {
        Environment::of(env).remove(runner);
        return env.Undefined();
      });
  runner_->dispose([callback] { callback(Nothing{}); });
  return deferred.Promise();
}

Napi::Value Model::device(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), loaded_.device); }

}  // namespace torch_t5
