// An addon that opens libtorch before the main addon is loaded, so that the main addon's binary contains no path.
#include <napi.h>

#include <string>

#include "core/platform/shared_library.h"

static void openShared(const Napi::CallbackInfo& info) {
  if (!info[0].IsString())
    throw Napi::TypeError::New(info.Env(), "Expected a string for path but received another value");
  const torch_t5::OpenedLibrary opened = torch_t5::openLibrary(info[0].As<Napi::String>().Utf8Value());
  if (opened.handle == nullptr) throw Napi::Error::New(info.Env(), opened.error);
}

static Napi::Object initializePreload(Napi::Env env, Napi::Object exports) {
  exports.Set("libtorchVersion", Napi::String::New(env, TORCH_T5_LIBTORCH_VERSION));
  exports.Set("open", Napi::Function::New<openShared>(env, "open"));
  return exports;
}

NODE_API_MODULE(torch_t5_preload, initializePreload)
