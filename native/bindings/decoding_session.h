// The JavaScript object of a decoder with its cache.
#pragma once

#include <memory>

#include "bindings/native_object.h"
#include "engine/decoding.h"

namespace torch_t5 {

class DecodingSession : public NativeObject<DecodingSession> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e12, 0x8f60c1d7a2b9e502};

  static void define(Napi::Env env);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner,
                          std::shared_ptr<const DecoderState> state);

  explicit DecodingSession(const Napi::CallbackInfo& info) : NativeObject(info) {}

 private:
  /// Shared with the call that runs; only JavaScript's thread touches it.
  struct Cell {
    std::shared_ptr<const DecoderState> state;  // null: disposed
    bool busy = false;
  };

  /// Throws ERR_DISPOSED, and ERR_INVALID_ARGUMENT while a call runs.
  std::shared_ptr<const DecoderState> idleState() const;

  Napi::Value decode(const Napi::CallbackInfo& info);
  Napi::Value fork(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelRunner> runner_;
  std::shared_ptr<Cell> cell_ = std::make_shared<Cell>();
};

}  // namespace torch_t5
