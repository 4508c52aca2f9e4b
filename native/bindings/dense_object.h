// The JavaScript object of a dense layer on a model's device.
#pragma once

#include <memory>

#include "bindings/native_object.h"
#include "engine/embedding.h"

namespace torch_t5 {

class DenseObject : public NativeObject<DenseObject> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e15, 0x8f60c1d7a2b9e505};

  static void define(Napi::Env env);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<const Dense> dense);

  explicit DenseObject(const Napi::CallbackInfo& info) : NativeObject(info) {}

  /// Throws ERR_DISPOSED.
  std::shared_ptr<const Dense> dense() const;

 private:
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<const Dense> dense_;  // null: disposed
};

}  // namespace torch_t5
