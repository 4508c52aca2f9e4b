// JavaScript's requests as structs that own their data: arrays are copied, so that the caller may change them as soon
// as a call returns. Every function throws ERR_INVALID_ARGUMENT, and the requests that they return have passed `check`.
#pragma once

#include <napi.h>

#include <memory>

#include "core/requests.h"
#include "engine/embedding.h"
#include "engine/encoding.h"
#include "generation/search.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

LoadOptions toLoadOptions(const Napi::Object& options);

/// How a request is scheduled. `cacheSize`: of a generation.
Scheduling toScheduling(const Napi::Object& request, const CacheSize& cacheSize = {});

ForwardRequest toForwardRequest(const Napi::Object& request);
DecodeRequest toDecodeRequest(const Napi::Object& request);
ClassifyRequest toClassifyRequest(const Napi::Object& request);
ScoreRequest toScoreRequest(const Napi::Object& request);
Pooling toPooling(const Napi::Object& request);
DenseWeights toDenseWeights(const Napi::Object& request);

/// The `layers` of an embed request: `NativeDense` objects, or "normalize". Throws ERR_DISPOSED as well.
std::vector<EmbeddingLayer> toEmbeddingLayers(const Napi::Object& request);

/// `texts`: the model's, or null.
GenerateRequest toGenerateRequest(const Napi::Object& request, std::shared_ptr<const TokenTexts> texts);

/// The ids of `source`, a `PaddedBatch`.
SourceIds toSourceIds(const Napi::Object& source);

/// The `source` of a request: ids, or the tensors of an `EncoderOutputObject`. Throws ERR_DISPOSED as well.
EncoderSource toEncoderSource(const Napi::Object& request);

}  // namespace torch_t5
