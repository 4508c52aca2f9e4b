// The JavaScript objects of an encoder's output and of a decoder that continues from it.
#pragma once

#include <memory>

#include "bindings/native_object.h"
#include "engine/decoding.h"

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
  std::shared_ptr<const EncoderOutput> encoderOutput_;  // null: disposed
};

class DecodingSessionObject : public NativeObject<DecodingSessionObject> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e12, 0x8f60c1d7a2b9e502};

  static void define(Napi::Env env);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner,
                          std::shared_ptr<const DecoderState> decoder);

  explicit DecodingSessionObject(const Napi::CallbackInfo& info) : NativeObject(info) {}

 private:
  /// Shared with the running call. Used on JavaScript's thread only.
  struct State {
    std::shared_ptr<const DecoderState> decoder;  // null: disposed
    bool isBusy = false;
  };

  /// Throws ERR_DISPOSED, and ERR_INVALID_ARGUMENT while a call runs.
  std::shared_ptr<const DecoderState> idleDecoder() const;

  Napi::Value decode(const Napi::CallbackInfo& info);
  Napi::Value fork(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelRunner> runner_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace torch_t5
