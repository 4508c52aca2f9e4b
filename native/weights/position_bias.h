// T5's relative position bias: a number for each head and each distance between a key and a query.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace torch_t5 {

/// How distances are sorted into buckets.
struct Buckets {
  std::int64_t count = 0;
  std::int64_t maxDistance = 0;
  bool isBidirectional = false;  // the encoder's: keys on both sides of the query
};

/// The bias of every distance from -reach to reach (key less query): [heads, 2 * reach + 1], contiguous, on the
/// weight's device. `weight`: [buckets, heads]. Bucket by bucket as Hugging Face computes it, in float32.
at::Tensor biasByDistance(const at::Tensor& weight, const Buckets& buckets, std::int64_t reach);

}  // namespace torch_t5
