#include "bindings/javascript_errors.h"

#include <string>

namespace torch_t5 {

Napi::Error toJavaScript(Napi::Env env, const Error& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, std::string(codeName(error.code()))));
  return result;
}

}  // namespace torch_t5
