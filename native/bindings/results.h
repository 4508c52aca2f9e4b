// What the runtime gives, as JavaScript values.
#pragma once

#include <napi.h>

#include "engine/reductions.h"
#include "engine/runtime_info.h"

namespace torch_t5 {

/// `{ logits?, values?, indices?, encoderLastHiddenState?, decoderLastHiddenState?, loss? }`, each tensor as
/// `{ data, shape }`.
Napi::Object toJavaScript(Napi::Env env, ForwardResult result);

Napi::Object toJavaScript(Napi::Env env, const RuntimeInfo& info);

}  // namespace torch_t5
