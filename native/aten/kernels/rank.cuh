// The order of logits in a greedy search, as torch.argmax has it: NaN is the maximum, and the first of equal logits
// wins.
#pragma once

#include "aten/kernels/reduce.cuh"

namespace torch_t5 {
namespace {

/// A number that orders logits first by value, then by index: the highest rank is that of the chosen logit.
using Rank = unsigned long long;

constexpr Rank kNoRank = 0;  // below that of any logit

__device__ __forceinline__ Rank rankOf(float logit, int index) {
  const unsigned bits = __float_as_uint(logit == 0 ? 0.0F : logit);  // -0 equals 0
  const unsigned ordered = logit != logit ? 0xffffffff : (bits >> 31 != 0 ? ~bits : bits | 0x80000000);
  return static_cast<Rank>(ordered) << 32 | ~static_cast<unsigned>(index);
}

__device__ __forceinline__ int indexOf(Rank rank) { return static_cast<int>(~static_cast<unsigned>(rank)); }

__device__ __forceinline__ Rank higher(Rank a, Rank b) { return a < b ? b : a; }

/// The highest rank of the lanes whose numbers differ only in the bits from kLowestBit on.
template <int kLowestBit>
__device__ __forceinline__ Rank highestOfLanes(Rank rank) {
#pragma unroll
  for (int offset = kLanes / 2; offset >= kLowestBit; offset /= 2)
    rank = higher(rank, __shfl_xor_sync(kAllLanes, rank, offset));
  return rank;
}

}  // namespace
}  // namespace torch_t5
