// Sums over the threads of a warp or a block. The order of additions depends neither on the number of rows nor on what
// else is summed at the same time.
#pragma once

#include "aten/kernels/launch_sizes.h"

namespace torch_t5 {
namespace {

constexpr unsigned kAllLanes = 0xffffffff;

__device__ __forceinline__ int laneOfThread() { return static_cast<int>(threadIdx.x) % kLanes; }
__device__ __forceinline__ int warpOfThread() { return static_cast<int>(threadIdx.x) / kLanes; }

/// A round of sumOverLanes, with the lanes that are kOffset away, and all rounds after it.
template <int kCount, int kOffset, int kValues>
__device__ __forceinline__ void exchangeSums(float (&values)[kValues]) {
  if constexpr (kCount > 1) {
    const bool isUpper = (laneOfThread() & kOffset) != 0;
#pragma unroll
    for (int i = 0; i < kCount / 2; ++i) {
      const float kept = isUpper ? values[i + kCount / 2] : values[i];
      const float sent = isUpper ? values[i] : values[i + kCount / 2];
      values[i] = kept + __shfl_xor_sync(kAllLanes, sent, kOffset);
    }
    exchangeSums<kCount / 2, kOffset / 2>(values);
  } else if constexpr (kOffset > 0) {
    values[0] += __shfl_xor_sync(kAllLanes, values[0], kOffset);
    exchangeSums<1, kOffset / 2>(values);
  }
}

/// The sums of kCount values (a power of two up to 32) over the lanes of a warp. Each lane receives one of them, that
/// with the index `sumOfLane<kCount>()`: in each round, a lane hands over half of the sums that it still adds up.
template <int kCount>
__device__ __forceinline__ float sumOverLanes(float (&values)[kCount]) {
  exchangeSums<kCount, kLanes / 2>(values);
  return values[0];
}

/// The sum that a lane receives.
template <int kCount>
__device__ __forceinline__ int sumOfLane() {
  return laneOfThread() / (kLanes / kCount);
}

/// Whether the lane is the first of those that receive a sum.
template <int kCount>
__device__ __forceinline__ bool isFirstOfSum() {
  return laneOfThread() % (kLanes / kCount) == 0;
}

/// Writes the sums of kCount values (a power of two up to 32) over the lanes of each warp to shared memory.
template <int kWarps, int kCount>
__device__ __forceinline__ void shareSums(float (&values)[kCount], float (&sums)[kWarps][kCount]) {
  const float sum = sumOverLanes(values);
  if (isFirstOfSum<kCount>()) sums[warpOfThread()][sumOfLane<kCount>()] = sum;
  __syncthreads();
}

/// Adds up what shareSums has written.
template <int kWarps, int kCount>
__device__ __forceinline__ void addShared(float (&values)[kCount], const float (&sums)[kWarps][kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    values[i] = 0;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp) values[i] += sums[warp][i];
  }
}

/// The sums of kCount values (a power of two up to 32) over the threads of a block; all threads receive all. `sums`:
/// shared memory.
template <int kWarps, int kCount>
__device__ __forceinline__ void sumOverBlock(float (&values)[kCount], float (&sums)[kWarps][kCount]) {
  shareSums(values, sums);
  addShared(values, sums);
}

}  // namespace
}  // namespace torch_t5
