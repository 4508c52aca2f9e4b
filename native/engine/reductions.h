// Keeps of a forward pass only what was asked for, before any of it reaches JavaScript.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "engine/engine.h"
#include "types.h"

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

/// Consumes `full`, so that what was not selected is freed when this returns.
/// Hidden states that `full` lacks are left out.
/// `labels`: [B, T] int64 on the logits' device, or undefined for no loss. The loss is Hugging Face's: mean cross
/// entropy over all positions, -100 ignored. Throws ERR_TOKEN_OUT_OF_RANGE and ERR_INVALID_ARGUMENT for tokens and topK
/// that the vocabulary can't satisfy.
ForwardResult reduce(ForwardOutput full, const at::Tensor& labels, const Selection& selection);

}  // namespace torch_t5
