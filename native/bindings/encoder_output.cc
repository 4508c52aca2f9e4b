#include "bindings/encoder_output.h"

#include <utility>

#include "bindings/decoding_session.h"
#include "bindings/results.h"
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
  EncoderOutputObject& output = make(env);
  output.runner_ = std::move(runner);
  output.encoderOutput_ = std::move(encoderOutput);
  return output.Value();
}

std::shared_ptr<const EncoderOutput> EncoderOutputObject::encoderOutput() const {
  if (encoderOutput_) return encoderOutput_;
  throw Error(ErrorCode::kDisposed, "Expected an encoder output in use but received one that was disposed");
}

Napi::Value EncoderOutputObject::shape(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] { return toJavaScript(info.Env(), encoderOutput()->lastHiddenState.sizes()); });
}

Napi::Value EncoderOutputObject::startDecoding(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    auto state = std::make_shared<const DecoderState>(DecoderState{{encoderOutput(), {}}, nullptr, 0});
    return DecodingSession::wrap(info.Env(), runner_, std::move(state));
  });
}

void EncoderOutputObject::dispose(const Napi::CallbackInfo&) { encoderOutput_.reset(); }

}  // namespace torch_t5
