// JavaScript's requests as plain structs. Arrays are copied: the caller may change them as soon as a call returns.
// Everything throws ERR_INVALID_ARGUMENT, and a request has passed `check`.
#pragma once

#include <napi.h>

#include "core/requests.h"
#include "engine/encoding.h"
#include "generation/generate.h"

namespace torch_t5 {

LoadOptions toLoadOptions(const Napi::Object& options);
SourceIds toSourceIds(const Napi::Object& request);
ForwardRequest toForwardRequest(const Napi::Object& request);
DecodeRequest toDecodeRequest(const Napi::Object& request);
ScoreRequest toScoreRequest(const Napi::Object& request);
Pooling toPooling(const Napi::Object& request);

/// Ids, or an EncoderOutputObject's tensors. Throws ERR_DISPOSED as well.
EncoderSource toEncoderSource(const Napi::Object& request);

/// Without the texts of the tokens.
GenerateRequest toGenerateRequest(const Napi::Object& request);

}  // namespace torch_t5
