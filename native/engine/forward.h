// A forward request: runs the engine and reduces its output to what the request selects, before anything is copied to
// JavaScript.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "core/requests.h"
#include "engine/head.h"
#include "engine/shared_engine.h"

namespace torch_t5 {

/// Contiguous CPU tensors (float32; indices int32), each the only owner of its memory. Undefined: not requested.
struct ForwardResult {
  at::Tensor logits;                  // [B, P, K]; undefined with topK
  at::Tensor values;                  // [B, P, topK], in descending order
  at::Tensor indices;                 // [B, P, topK], vocabulary ids
  at::Tensor encoderLastHiddenState;  // [B, S, D]
  at::Tensor decoderLastHiddenState;  // [B, T, D]
  LayerOutputs layers;
  std::optional<double> loss;
  at::Tensor headOutput;  // in the shape that the head returns
};

/// With a head, which may be null, its output replaces the logits. The request must have passed `check`. Throws what
/// the engine, `toLogitsSelection`, `reduce` and the head throw.
Task<ForwardResult> runForward(SharedEngine& engine, std::shared_ptr<const ForwardRequest> request,
                               std::shared_ptr<const Head> head);

/// The logits that a selection needs. Throws ERR_TOKEN_OUT_OF_RANGE for a token outside the vocabulary.
LogitsSelection toLogitsSelection(const Selection& selection, const SharedEngine& engine);

/// Reduces an output whose logits are those of `logitsSelection`. Takes over its tensors, so that those that are not
/// selected are freed on return; undefined ones are skipped. Throws ERR_INVALID_ARGUMENT for a topK larger than the
/// number of logits.
ForwardResult reduce(ForwardOutput output, const LogitsSelection& logitsSelection, const Selection& selection);

}  // namespace torch_t5
