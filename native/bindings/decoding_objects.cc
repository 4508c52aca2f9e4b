#include "bindings/decoding_objects.h"

#include <utility>

#include "bindings/arguments.h"
#include "bindings/environment.h"
#include "bindings/results.h"
#include "bindings/values.h"
#include "core/errors.h"

namespace torch_t5 {

void EncoderOutputObject::define(Napi::Env env) {
  defineClass(env, "NativeEncoderOutput",
              {
                  InstanceAccessor<&EncoderOutputObject::shape>("shape"),
                  InstanceMethod<&EncoderOutputObject::startDecoding>("startDecoding"),
                  InstanceMethod<&EncoderOutputObject::dispose>("dispose"),
              });
}

Napi::Value EncoderOutputObject::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner,
                                      std::shared_ptr<const EncoderOutput> encoderOutput) {
  EncoderOutputObject& object = make(env);
  object.runner_ = std::move(runner);
  object.encoderOutput_ = std::move(encoderOutput);
  return object.Value();
}

std::shared_ptr<const EncoderOutput> EncoderOutputObject::encoderOutput() const {
  if (encoderOutput_) return encoderOutput_;
  throw Error(ErrorCode::kDisposed, "Expected an encoder output in use but received one that was disposed");
}

Napi::Value EncoderOutputObject::shape(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] { return toJs(info.Env(), encoderOutput()->lastHiddenState.sizes()); });
}

Napi::Value EncoderOutputObject::startDecoding(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    auto decoder = std::make_shared<const DecoderState>(DecoderState{{encoderOutput(), {}}, nullptr, 0});
    return DecodingSessionObject::wrap(info.Env(), runner_, std::move(decoder));
  });
}

void EncoderOutputObject::dispose(const Napi::CallbackInfo&) { encoderOutput_.reset(); }

void DecodingSessionObject::define(Napi::Env env) {
  defineClass(env, "NativeDecodingSession",
              {
                  InstanceMethod<&DecodingSessionObject::decode>("decode"),
                  InstanceMethod<&DecodingSessionObject::fork>("fork"),
                  InstanceMethod<&DecodingSessionObject::dispose>("dispose"),
              });
}

Napi::Value DecodingSessionObject::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner,
                                        std::shared_ptr<const DecoderState> decoder) {
  DecodingSessionObject& object = make(env);
  object.runner_ = std::move(runner);
  object.state_->decoder = std::move(decoder);
  return object.Value();
}

std::shared_ptr<const DecoderState> DecodingSessionObject::idleDecoder() const {
  if (!state_->decoder) {
    throw Error(ErrorCode::kDisposed, "Expected a session in use but received one that was disposed");
  }
  if (!state_->isBusy) return state_->decoder;
  throw Error(ErrorCode::kInvalidArgument, "Expected an idle session but received one whose last step still runs");
}

Napi::Value DecodingSessionObject::decode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&] {
    const Napi::Object object = toObject(info[0], "request");
    const Scheduling scheduling = toScheduling(object);
    const auto request = std::make_shared<const DecodeRequest>(toDecodeRequest(object));
    const std::shared_ptr<const DecoderState> decoder = idleDecoder();
    state_->isBusy = true;
    return startCall<DecodeResult>(
        env, runner_, scheduling,
        [decoder, request](SharedEngine& engine) { return runDecode(engine, *decoder, request); },
        [state = state_](Napi::Env env, Outcome<DecodeResult> outcome) -> Napi::Value {
          state->isBusy = false;
          DecodeResult result = valueOrThrow(env, std::move(outcome));
          if (state->decoder) state->decoder = std::make_shared<const DecoderState>(std::move(result.state));
          return toJs(env, std::move(result.forward));
        });
  });
}

Napi::Value DecodingSessionObject::fork(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] { return wrap(info.Env(), runner_, idleDecoder()); });
}

void DecodingSessionObject::dispose(const Napi::CallbackInfo&) { state_->decoder.reset(); }

}  // namespace torch_t5
