// The JavaScript object of a user's head.
#pragma once

#include <memory>

#include "bindings/native_object.h"
#include "engine/head.h"

namespace torch_t5 {

class HeadObject : public NativeObject<HeadObject> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e14, 0x8f60c1d7a2b9e504};

  static void define(Napi::Env env);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<const Head> head);

  explicit HeadObject(const Napi::CallbackInfo& info) : NativeObject(info) {}

  /// Throws ERR_DISPOSED.
  std::shared_ptr<const Head> head() const;

 private:
  Napi::Value inputs(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<const Head> head_;
};

}  // namespace torch_t5
