// The JavaScript object of what an encoder gave.
#pragma once

#include <memory>

#include "bindings/native_object.h"
#include "engine/encoding.h"

namespace torch_t5 {

class EncoderOutputObject : public NativeObject<EncoderOutputObject> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e11, 0x8f60c1d7a2b9e501};

  static void define(Napi::Env env);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner,
                          std::shared_ptr<const EncoderOutput> encoderOutput);

  explicit EncoderOutputObject(const Napi::CallbackInfo& info) : NativeObject(info) {}

  /// Throws ERR_DISPOSED.
  std::shared_ptr<const EncoderOutput> encoderOutput() const;

 private:
  Napi::Value shape(const Napi::CallbackInfo& info);
  Napi::Value startDecoding(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelRunner> runner_;
  std::shared_ptr<const EncoderOutput> encoderOutput_;
};

}  // namespace torch_t5
