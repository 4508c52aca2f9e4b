// Attention with ATen operators, and its additive masks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

#include "weights/position_bias.h"

namespace torch_t5 {

/// Added to the score of a masked key. It is finite, so a query without any unmasked key attends to all keys equally,
/// as in Hugging Face. Half of the lowest float, because kernels that use powers of two multiply scores by log2(e).
constexpr double kMaskedScore = std::numeric_limits<float>::lowest() / 2;

/// The product of [m, k] and [k, n], or of batches of these, accumulated and returned in float32 for operands of any
/// type.
at::Tensor multiplyToFloat32(const at::Tensor& a, const at::Tensor& b);

/// The additive form of an attention mask [rows, keys]: float32 [rows, 1, 1, keys]. Undefined if the mask keeps every
/// position.
at::Tensor paddingMask(const at::Tensor& attentionMask);

/// The relative position bias of self-attention. Unless it is bidirectional, it masks the keys after a query (causal
/// mask).
class RelativePositionBias {
 public:
  /// `weight`: float32 [buckets, heads].
  RelativePositionBias(at::Tensor weight, const Buckets& buckets);

  /// The bias for `queries` consecutive queries from position `first` on, and keys from position 0 on: float32
  /// [1, heads, queries, keys]. Requires first + queries <= keys.
  at::Tensor of(std::int64_t first, std::int64_t queries, std::int64_t keys);

 private:
  void growTo(std::int64_t reach);

  at::Tensor weight_;
  Buckets buckets_;
  std::int64_t reach_ = -1;
  at::Tensor byDistance_;  // [heads, 2 * reach + 1]: for distances from -reach to reach
};

/// The sum of a position bias and a padding mask, in the type of the keys, for `attend`. Either may be undefined;
/// without both the result is undefined.
at::Tensor scoreMask(const at::Tensor& bias, const at::Tensor& padding, at::ScalarType type);

/// softmax(queries x keys^T + mask) x values. All are [rows, heads, positions, dKv]; the mask may be undefined. T5 does
/// not scale its scores.
at::Tensor attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& mask);

}  // namespace torch_t5
