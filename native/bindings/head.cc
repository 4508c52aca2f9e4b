#include "bindings/head.h"

#include <utility>

#include "core/errors.h"

namespace torch_t5 {

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

}  // namespace torch_t5
