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

/// The same for matrices, into `output` [m, n], float32.
void multiplyToFloat32(const at::Tensor& a, const at::Tensor& b, at::Tensor output);

/// The additive form of an attention mask [rows, keys]: float32 [rows, 1, 1, keys]. Undefined if the mask keeps every
/// position.
at::Tensor paddingMask(const at::Tensor& attentionMask);

/// The same without waiting for the device: defined even if the mask keeps every position.
at::Tensor paddingMaskOnDevice(const at::Tensor& attentionMask);

/// Writes a mask [rows, 1, 1, keys] to the first rows and keys of a larger one. Keys after it get no attention, also
/// where the mask keeps no key; rows after it keep the first `keys`.
void writePadding(const at::Tensor& larger, const at::Tensor& mask);

/// The same for a mask that keeps every one of the first `keys`.
void clearPadding(const at::Tensor& larger, std::int64_t keys);

/// Keys from `first` on get no attention, also where the mask keeps no key.
void hideKeys(const at::Tensor& mask, std::int64_t first);

/// The relative position bias of self-attention. Unless it is bidirectional, it masks the keys after a query (causal
/// mask).
class RelativePositionBias {
 public:
  /// `weight`: float32 [buckets, heads].
  RelativePositionBias(at::Tensor weight, const Buckets& buckets);

  /// The bias for `queries` consecutive queries from position `first` on, and keys from position 0 on: float32
  /// [1, heads, queries, keys]. Requires first + queries <= keys.
  at::Tensor of(std::int64_t first, std::int64_t queries, std::int64_t keys) {
    return inOrder(reversed(first, queries, keys));
  }

  /// The same with the queries in reverse order, as a view: it takes no memory of its own, and stays valid. `inOrder`
  /// makes the bias from it.
  at::Tensor reversed(std::int64_t first, std::int64_t queries, std::int64_t keys);
  static at::Tensor inOrder(const at::Tensor& reversed);

  /// The bias of keys at or before the query: float32 [heads, reach + 1], by distance from 0 to `reach`.
  at::Tensor byDistanceBack(std::int64_t reach) const;

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
