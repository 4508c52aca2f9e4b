// The base of the classes whose objects JavaScript holds.
#pragma once

#include <napi.h>

#include <vector>

#include "bindings/environment.h"

namespace torch_t5 {

/// A class whose objects are made by native code alone and recognized by `Class::kTag` when JavaScript passes them
/// back. JavaScript can reach the constructor, which makes an object with null members: every method must check for
/// that.
template <class Class>
class NativeObject : public Napi::ObjectWrap<Class> {
 public:
  /// The object of this class that `value` is, or null.
  static Class* find(const Napi::Value& value) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&Class::kTag)) return nullptr;
    return Class::Unwrap(value.As<Napi::Object>());
  }

 protected:
  explicit NativeObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Class>(info) {
    info.This().As<Napi::Object>().TypeTag(&Class::kTag);
  }

  static void defineClass(Napi::Env env, const char* name,
                          const std::vector<Napi::ClassPropertyDescriptor<Class>>& members) {
    Environment::of(env).constructors[&Class::kTag] = Napi::Persistent(Class::DefineClass(env, name, members));
  }

  static Class& make(Napi::Env env) {
    return *Class::Unwrap(Environment::of(env).constructors.at(&Class::kTag).New({}));
  }
};

}  // namespace torch_t5
