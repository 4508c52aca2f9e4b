#include "bindings/model_object.h"

#include <string>
#include <utility>
#include <variant>

#include "bindings/arguments.h"
#include "bindings/decoding_objects.h"
#include "bindings/dense_object.h"
#include "bindings/environment.h"
#include "bindings/results.h"
#include "bindings/search_object.h"
#include "bindings/values.h"
#include "engine/classification.h"
#include "engine/embedding.h"
#include "engine/encoding.h"
#include "engine/forward.h"
#include "engine/scoring.h"
#include "torchscript/torchscript_head.h"

namespace torch_t5 {
namespace {

/// Moves a request to the heap, where the scheduler's thread shares it.
template <class Request>
std::shared_ptr<const Request> shared(Request request) {
  return std::make_shared<const Request>(std::move(request));
}

std::shared_ptr<const Head> optionalHead(const Napi::Object& request) {
  const Napi::Value value = request.Get("head");
  if (value.IsUndefined()) return nullptr;
  if (const HeadObject* object = HeadObject::find(value)) return object->head();
  throw Error(ErrorCode::kInvalidArgument,
              "Expected a head that loadHead returned for head but received another value");
}

Task<std::shared_ptr<const Head>> loadHeadFile(std::string path, CodePolicy policy, SharedEngine& engine) {
  co_return loadTorchScriptHead(path, policy, engine.device());
}

Task<std::shared_ptr<const Dense>> makeDense(SharedEngine& engine, std::shared_ptr<const DenseWeights> weights) {
  co_return std::make_shared<const Dense>(*weights, engine.device());
}

}  // namespace

void HeadObject::define(Napi::Env env) {
  defineClass(env, "NativeHead",
              {
                  InstanceAccessor<&HeadObject::inputs>("inputs"),
                  InstanceMethod<&HeadObject::dispose>("dispose"),
              });
}

Napi::Value HeadObject::wrap(Napi::Env env, std::shared_ptr<const Head> head) {
  HeadObject& object = make(env);
  object.head_ = std::move(head);
  return object.Value();
}

std::shared_ptr<const Head> HeadObject::head() const {
  if (head_) return head_;
  throw Error(ErrorCode::kDisposed, "Expected a head in use but received one that was disposed");
}

Napi::Value HeadObject::inputs(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&]() -> Napi::Value {
    const auto& names = head()->inputs();
    Napi::Array array = Napi::Array::New(info.Env(), names.size());
    for (std::uint32_t index = 0; index < names.size(); ++index) array.Set(index, names[index]);
    return array;
  });
}

void HeadObject::dispose(const Napi::CallbackInfo&) { head_.reset(); }

void ModelObject::define(Napi::Env env) {
  defineClass(env, "NativeModel",
              {
                  InstanceMethod<&ModelObject::forward>("forward"),
                  InstanceMethod<&ModelObject::encode>("encode"),
                  InstanceMethod<&ModelObject::forwardEncoder>("forwardEncoder"),
                  InstanceMethod<&ModelObject::embed>("embed"),
                  InstanceMethod<&ModelObject::classify>("classify"),
                  InstanceMethod<&ModelObject::score>("score"),
                  InstanceMethod<&ModelObject::generate>("generate"),
                  InstanceMethod<&ModelObject::startSearch>("startSearch"),
                  InstanceMethod<&ModelObject::loadHead>("loadHead"),
                  InstanceMethod<&ModelObject::loadDense>("loadDense"),
                  InstanceMethod<&ModelObject::uploadTokenTexts>("uploadTokenTexts"),
                  InstanceMethod<&ModelObject::cancel>("cancel"),
                  InstanceMethod<&ModelObject::dispose>("dispose"),
                  InstanceMethod<&ModelObject::abort>("abort"),
                  InstanceMethod<&ModelObject::stats>("stats"),
                  InstanceAccessor<&ModelObject::device>("device"),
              });
}

Napi::Value ModelObject::load(const Napi::CallbackInfo& info) {
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

Napi::Object ModelObject::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, ModelInfo loaded) {
  ModelObject& object = make(env);
  object.environment_ = Environment::of(env).weak_from_this();
  object.runner_ = std::move(runner);
  object.loaded_ = std::move(loaded);
  return object.Value();
}

ModelObject::~ModelObject() {
  const auto environment = environment_.lock();
  if (environment && runner_) environment->retire(runner_);
}

Napi::Value ModelObject::forward(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto request = shared(toForwardRequest(object));
    return startCall<ForwardResult>(
        info.Env(), runner_, toScheduling(object),
        [request, head = optionalHead(object)](SharedEngine& engine) { return runForward(engine, request, head); },
        valueToJs<ForwardResult>());
  });
}

Napi::Value ModelObject::encode(const Napi::CallbackInfo& info) {
  using Output = std::shared_ptr<const EncoderOutput>;
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto source = shared<EncoderSource>(toSourceIds(toObject(object.Get("source"), "source")));
    return startCall<Output>(
        info.Env(), runner_, toScheduling(object),
        [source](SharedEngine& engine) { return encodeIfNeeded(engine, *source); },
        valueToJs<Output>([runner = runner_](Napi::Env env, Output output) {
          return EncoderOutputObject::wrap(env, runner, std::move(output));
        }));
  });
}

Napi::Value ModelObject::forwardEncoder(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto source = shared(toSourceIds(toObject(object.Get("source"), "source")));
    return startCall<at::Tensor>(
        info.Env(), runner_, toScheduling(object),
        [source](SharedEngine& engine) { return lastHiddenState(engine, source); }, valueToJs<at::Tensor>());
  });
}

Napi::Value ModelObject::embed(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto source = shared(toEncoderSource(object));
    return startCall<at::Tensor>(
        info.Env(), runner_, toScheduling(object),
        [source, pooling = toPooling(object), layers = toEmbeddingLayers(object)](SharedEngine& engine) {
          return runEmbed(engine, source, pooling, layers);
        },
        valueToJs<at::Tensor>());
  });
}

Napi::Value ModelObject::classify(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto request = shared(toClassifyRequest(object));
    return startCall<at::Tensor>(
        info.Env(), runner_, toScheduling(object),
        [request](SharedEngine& engine) { return runClassify(engine, request); }, valueToJs<at::Tensor>());
  });
}

Napi::Value ModelObject::score(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto source = shared(toEncoderSource(object));
    const auto request = shared(toScoreRequest(object));
    return startCall<ScoreResult>(
        info.Env(), runner_, toScheduling(object),
        [source, request](SharedEngine& engine) { return runScore(engine, source, request); },
        valueToJs<ScoreResult>());
  });
}

Napi::Value ModelObject::generate(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto request = shared(toGenerateRequest(object, texts_));
    return startCall<GenerateResult>(
        info.Env(), runner_, toScheduling(object, cacheSize(*request)),
        [request](SharedEngine& engine) { return runGenerate(engine, request); }, valueToJs<GenerateResult>());
  });
}

Napi::Value ModelObject::startSearch(const Napi::CallbackInfo& info) {
  using Started = std::shared_ptr<Search>;
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto request = shared(toGenerateRequest(object, texts_));
    const Scheduling scheduling = toScheduling(object);
    return startCall<Started>(
        info.Env(), runner_, scheduling,
        [request](SharedEngine& engine) { return torch_t5::startSearch(engine, request); },
        valueToJs<Started>(
            [runner = runner_, size = cacheSize(*request), since = scheduling.since](Napi::Env env, Started search) {
              return SearchObject::wrap(env, runner, std::move(search), size, since);
            }));
  });
}

Napi::Value ModelObject::loadHead(const Napi::CallbackInfo& info) {
  using Loaded = std::shared_ptr<const Head>;
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const CodePolicy policy = boolean(object, "trusted") ? CodePolicy::kAny : CodePolicy::kHead;
    return startCall<Loaded>(
        info.Env(), runner_, toScheduling(object),
        [path = string(object, "path"), policy](SharedEngine& engine) { return loadHeadFile(path, policy, engine); },
        valueToJs<Loaded>([](Napi::Env env, Loaded head) { return HeadObject::wrap(env, std::move(head)); }));
  });
}

Napi::Value ModelObject::loadDense(const Napi::CallbackInfo& info) {
  using Loaded = std::shared_ptr<const Dense>;
  return withErrors(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "request");
    const auto weights = shared(toDenseWeights(object));
    return startCall<Loaded>(
        info.Env(), runner_, toScheduling(object),
        [weights](SharedEngine& engine) { return makeDense(engine, weights); },
        valueToJs<Loaded>([](Napi::Env env, Loaded dense) { return DenseObject::wrap(env, std::move(dense)); }));
  });
}

void ModelObject::uploadTokenTexts(const Napi::CallbackInfo& info) {
  withErrors(info.Env(), [&] {
    texts_ = std::make_shared<const TokenTexts>(toBytes(info[0], "bytes"), toIds(info[1], "offsets"));
  });
}

void ModelObject::cancel(const Napi::CallbackInfo& info) {
  withErrors(info.Env(), [&] {
    const std::uint64_t id = toCallId(info[0]);
    if (runner_) runner_->cancel(id);
  });
}

Napi::Value ModelObject::dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!disposal_.IsEmpty()) return disposal_.Value();
  const auto deferred = Napi::Promise::Deferred::New(env);
  disposal_ = Napi::Persistent(deferred.Promise().As<Napi::Promise>());
  if (!runner_) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  // Weak: the runner keeps the function that settles the promise.
  const auto settlePromise = Environment::of(env).beginCall<std::monostate>(
      deferred, [weak = std::weak_ptr(runner_)](Napi::Env env, Outcome<std::monostate>) -> Napi::Value {
        if (const auto runner = weak.lock()) Environment::of(env).remove(runner);
        return env.Undefined();
      });
  runner_->dispose([settlePromise] { settlePromise(std::monostate{}); });
  return deferred.Promise();
}

void ModelObject::abort(const Napi::CallbackInfo&) {
  if (runner_) runner_->abort();
}

Napi::Value ModelObject::stats(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(),
                    [&]() -> Napi::Value { return toJs(info.Env(), runner_ ? runner_->stats() : ModelStats()); });
}

Napi::Value ModelObject::device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), loaded_.device);
}

}  // namespace torch_t5
