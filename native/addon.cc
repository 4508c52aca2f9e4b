// Registers the addon's functions, once per environment. lib/native/types.ts has their TypeScript types.
#include <napi.h>

#include "bindings/decoding_objects.h"
#include "bindings/dense_object.h"
#include "bindings/environment.h"
#include "bindings/model_object.h"
#include "bindings/results.h"
#include "bindings/search_object.h"
#include "engine/runtime_info.h"
#include "fused/instruction_set.h"

namespace torch_t5 {
namespace {

void release(const Napi::CallbackInfo& info) { Environment::of(info.Env()).buffers().release(info.Env(), info[0]); }

void shutDown(const Napi::CallbackInfo& info) { Environment::of(info.Env()).shutDown(); }

void observe(const Napi::CallbackInfo& info) { Environment::of(info.Env()).observe(info[0].As<Napi::Function>()); }

Napi::Value info(const Napi::CallbackInfo& info) {
  RuntimeInfo found = runtimeInfo();
  found.kernels = bestKernels().name;
  return toJs(info.Env(), found);
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment::create(env);
  ModelObject::define(env);
  EncoderOutputObject::define(env);
  DecodingSessionObject::define(env);
  SearchObject::define(env);
  HeadObject::define(env);
  DenseObject::define(env);
  exports.Set("load", Napi::Function::New<ModelObject::load>(env, "load"));
  exports.Set("release", Napi::Function::New<release>(env, "release"));
  exports.Set("observe", Napi::Function::New<observe>(env, "observe"));
  exports.Set("shutDown", Napi::Function::New<shutDown>(env, "shutDown"));
  exports.Set("info", Napi::Function::New<info>(env, "info"));
  return exports;
}

}  // namespace
}  // namespace torch_t5

// NODE_API_MODULE has to be used at file scope, and so does what it registers.
static Napi::Object initializeAddon(Napi::Env env, Napi::Object exports) { return torch_t5::initialize(env, exports); }

NODE_API_MODULE(torch_t5, initializeAddon)
