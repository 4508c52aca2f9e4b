// Objects that only native code makes, and recognizes again when JavaScript hands them back.
#pragma once

#include <napi.h>

#include <vector>

#include "bindings/environment.h"

namespace torch_t5 {

/// A class of such objects. `Class::kTag` tells its objects from all others. One that JavaScript makes itself, by its
/// constructor, is empty: every method must stand that.
template <class Class>
class NativeObject : public Napi::ObjectWrap<Class> {
 public:
  /// The object that a value is, or null.
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
