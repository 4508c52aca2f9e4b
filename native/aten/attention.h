// Attention of plain ATen operators: what is added to scores, and the sums over values.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

#include "weights/position_bias.h"

namespace torch_t5 {

/// What is added to the score of a key that isn't seen: a query that sees no key attends to all alike, as Hugging
/// Face's does. Half of the lowest float, because kernels that compute powers of two multiply scores by log2 e.
constexpr double kUnseen = std::numeric_limits<float>::lowest() / 2;

/// [rows, inner] times [inner, columns], or N of each; summed and given in float32 whatever the type of both.
at::Tensor multiplyToFloat32(const at::Tensor& a, const at::Tensor& b);

/// What a mask [rows, keys] adds to scores: float32 [rows, 1, 1, keys]. Undefined where it keeps every position.
at::Tensor paddingOf(const at::Tensor& attentionMask);

/// The bias of one layer's self-attention. Where it isn't bidirectional, later keys are unseen.
class DistanceBias {
 public:
  /// `weight`: float32 [buckets, heads].
  DistanceBias(at::Tensor weight, const Buckets& buckets);

  /// Of queries that follow each other, the first at position `first`, and keys from 0: float32 [1, heads, queries,
  /// keys]. The last query's position is before `keys`.
  at::Tensor of(std::int64_t first, std::int64_t queries, std::int64_t keys);

 private:
  void reachTo(std::int64_t reach);

  at::Tensor weight_;
  Buckets buckets_;
  std::int64_t reach_ = -1;
  at::Tensor byDistance_;  // [heads, 2 * reach + 1]
};

/// The sum of both, as `attend` takes it: in the type of the keys. Either may be undefined; so is that of none.
at::Tensor scoreMask(const at::Tensor& bias, const at::Tensor& padding, at::ScalarType type);

/// softmax(queries x keys + mask) x values, all [rows, heads, positions, dKv]. T5 doesn't scale its scores.
at::Tensor attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& mask);

}  // namespace torch_t5
