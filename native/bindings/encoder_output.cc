#include "bindings/encoder_output.h"

#include <utility>

#include "bindings/decoding_session.h"
#include "bindings/results.h"
#include "core/errors.h"

namespace torch_t5 {

void EncoderOutput::define(Napi::Env env) {
  defineClass(env, "NativeEncoderOutput",
              {
                  InstanceAccessor<&EncoderOutput::shape>("shape"),
                  InstanceMethod<&EncoderOutput::startDecoding>("startDecoding"),
                  InstanceMethod<&EncoderOutput::dispose>("dispose"),
              });
}

Napi::Value EncoderOutput::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner,
                                std::shared_ptr<const Encoded> encoded) {
  EncoderOutput& output = make(env);
  output.runner_ = std::move(runner);
  output.encoded_ = std::move(encoded);
  return output.Value();
}

std::shared_ptr<const Encoded> EncoderOutput::encoded() const {
  if (encoded_) return encoded_;
  throw Error(ErrorCode::kDisposed, "Expected an encoder output in use but received one that was disposed");
}

Napi::Value EncoderOutput::shape(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] { return toJavaScript(info.Env(), encoded()->lastHiddenState.sizes()); });
}

Napi::Value EncoderOutput::startDecoding(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] {
    auto state = std::make_shared<const DecoderState>(DecoderState{{encoded(), {}}, nullptr, 0});
    return DecodingSession::wrap(info.Env(), runner_, std::move(state));
  });
}

void EncoderOutput::dispose(const Napi::CallbackInfo&) { encoded_.reset(); }

}  // namespace torch_t5
