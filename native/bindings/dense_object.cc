#include "bindings/dense_object.h"

#include <utility>

#include "core/errors.h"

namespace torch_t5 {

void DenseObject::define(Napi::Env env) {
  defineClass(env, "NativeDense", {InstanceMethod<&DenseObject::dispose>("dispose")});
}

Napi::Value DenseObject::wrap(Napi::Env env, std::shared_ptr<const Dense> dense) {
  DenseObject& object = make(env);
  object.dense_ = std::move(dense);
  return object.Value();
}

std::shared_ptr<const Dense> DenseObject::dense() const {
  if (dense_) return dense_;
  throw Error(ErrorCode::kDisposed, "Expected a dense layer in use but received one that was disposed");
}

void DenseObject::dispose(const Napi::CallbackInfo&) { dense_.reset(); }

}  // namespace torch_t5
