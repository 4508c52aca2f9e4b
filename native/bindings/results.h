// What the runtime gives, as JavaScript values.
#pragma once

#include <napi.h>

#include "engine/forward.h"
#include "engine/runtime_info.h"
#include "engine/scoring.h"
#include "generation/search.h"

namespace torch_t5 {

/// `{ data, shape }` over the tensor's own memory: a Float32Array, or an Int32Array for int32.
Napi::Object toJavaScript(Napi::Env env, at::Tensor tensor);

Napi::Array toJavaScript(Napi::Env env, at::IntArrayRef sizes);

/// Objects with a property for each tensor that is there.
Napi::Object toJavaScript(Napi::Env env, ForwardResult result);
Napi::Object toJavaScript(Napi::Env env, ScoreResult result);
Napi::Object toJavaScript(Napi::Env env, GenerateResult result);

Napi::Object toJavaScript(Napi::Env env, const RuntimeInfo& info);

}  // namespace torch_t5
