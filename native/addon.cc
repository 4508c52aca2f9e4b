// The addon's functions, registered once per environment. What JavaScript sees is typed in lib/native.ts.
#include <napi.h>

#include "bindings/decoding_session.h"
#include "bindings/encoder_output.h"
#include "bindings/environment.h"
#include "bindings/generation.h"
#include "bindings/head.h"
#include "bindings/model.h"
#include "bindings/results.h"
#include "engine/runtime_info.h"

namespace torch_t5 {
namespace {

void release(const Napi::CallbackInfo& info) { Environment::of(info.Env()).buffers().release(info.Env(), info[0]); }

void shutDown(const Napi::CallbackInfo& info) { Environment::of(info.Env()).shutDown(); }

Napi::Value info(const Napi::CallbackInfo& info) { return toJavaScript(info.Env(), runtimeInfo()); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment::create(env);
  Model::define(env);
  EncoderOutputObject::define(env);
  DecodingSession::define(env);
  Generation::define(env);
  HeadObject::define(env);
  exports.Set("load", Napi::Function::New<Model::load>(env, "load"));
  exports.Set("release", Napi::Function::New<release>(env, "release"));
  exports.Set("shutDown", Napi::Function::New<shutDown>(env, "shutDown"));
  exports.Set("info", Napi::Function::New<info>(env, "info"));
  return exports;
}

}  // namespace
}  // namespace torch_t5

// The macro declares what it registers at file scope.
static Napi::Object initializeAddon(Napi::Env env, Napi::Object exports) { return torch_t5::initialize(env, exports); }

NODE_API_MODULE(torch_t5, initializeAddon)
