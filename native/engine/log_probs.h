// Log-probabilities of tokens, from raw logits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace torch_t5 {

/// The log-softmax of logits [rows, V] at ids [rows, n], int64: [rows, n].
at::Tensor gatherLogProbs(const at::Tensor& logits, const at::Tensor& ids);

/// The log-probabilities of chosen tokens, and of the most probable tokens at the same positions. Undefined: none are
/// asked for.
struct TokenLogProbs {
  at::Tensor chosen;   // [rows, ...]
  at::Tensor values;   // [rows, ..., k] in descending order
  at::Tensor indices;  // [rows, ..., k]: the ids of `values`
};

/// Those of tokens [rows], int64, by logits [rows, V]: of the `count` most probable tokens, which are those of `topK`
/// in a forward pass. Throws ERR_INVALID_ARGUMENT for a count larger than V.
TokenLogProbs tokenLogProbs(const at::Tensor& logits, const at::Tensor& tokens, std::int64_t count);

}  // namespace torch_t5
