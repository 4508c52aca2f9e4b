// T5's relative position bias: one number per head and distance between a key and a query.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace torch_t5 {

/// How relative distances are grouped into buckets.
struct Buckets {
  std::int64_t count = 0;
  std::int64_t maxDistance = 0;  // larger distances share one bucket
  bool isBidirectional = false;  // keys on both sides of the query: the encoder
};

/// The bias of every distance from -reach to reach (key position minus query position):
/// [heads, 2 * reach + 1], contiguous, on the weight's device. `weight`: [buckets, heads]. Buckets are those of
/// Hugging Face's `_relative_position_bucket`, computed in float32.
at::Tensor biasByDistance(const at::Tensor& weight, const Buckets& buckets, std::int64_t reach);

}  // namespace torch_t5
