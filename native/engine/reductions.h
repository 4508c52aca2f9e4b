// Of a forward pass only what was asked for is computed and kept, before any of it reaches JavaScript.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/requests.h"
#include "engine/engine.h"

namespace torch_t5 {

/// Contiguous CPU tensors (float32; indices int32), each the only owner of its memory. Undefined: not asked for.
struct ForwardResult {
  at::Tensor logits;   // [B, positions, tokens]; undefined when topK is on
  at::Tensor values;   // [B, positions, topK]
  at::Tensor indices;  // [B, positions, topK], vocabulary ids
  at::Tensor encoderLastHiddenState;
  at::Tensor decoderLastHiddenState;
  std::optional<double> loss;
  at::Tensor headOutput;
};

/// The logits that a selection needs. Throws ERR_TOKEN_OUT_OF_RANGE for a token that the vocabulary lacks.
LogitsSelection toLogitsSelection(const Selection& selection, const Engine& engine);

/// What is wanted of all logits [B, T, V]: [B, P, K], or undefined.
at::Tensor selectLogits(at::Tensor logits, const LogitsSelection& wanted);

/// Hugging Face's loss of logits [B, T, V] and labels [B, T] int64: mean cross entropy over all positions, -100
/// ignored.
double crossEntropy(const at::Tensor& logits, const at::Tensor& labels);

/// Consumes `output`, whose logits are the wanted ones, so that what was not selected is freed when this returns. What
/// `output` lacks is left out. Throws ERR_INVALID_ARGUMENT for a topK that the logits can't satisfy.
ForwardResult reduce(ForwardOutput output, const LogitsSelection& wanted, const Selection& selection);

}  // namespace torch_t5
