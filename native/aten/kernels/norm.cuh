// T5's layer norm: x / sqrt(mean(x * x) + epsilon) * weight, without a mean to subtract and without a bias.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/element.cuh"
#include "aten/kernels/reduce.cuh"

namespace torch_t5 {
namespace {

// Where a compiler could fuse a product and a sum, or not, this is stated: every kernel computes the same bits.

__device__ __forceinline__ float squares(const float4& values) {
  return fmaf(values.w, values.w, fmaf(values.z, values.z, fmaf(values.y, values.y, values.x * values.x)));
}

/// The factor of a row with this sum of squares.
__device__ __forceinline__ float normFactor(float sum) { return rsqrtf(fmaf(sum, 1.0F / D_MODEL, EPSILON)); }

__device__ __forceinline__ float4 normalized(const float4& values, float factor, const float4& norm) {
  return make_float4(values.x * factor * norm.x, values.y * factor * norm.y, values.z * factor * norm.z,
                     values.w * factor * norm.w);
}

/// Adds `delta`, if there is one, to the block's row of `hidden`, and normalizes it: store(element, four values).
/// `sums`: shared memory.
template <int kWarps, class Store>
__device__ __forceinline__ void addAndNormalize(float (&sums)[kWarps][1], const float* hidden, float* sum,
                                                const Element* delta, const float* norm, const Store& store) {
  constexpr int kThreads = kWarps * kLanes;
  constexpr int kFours = ceilDiv(D_MODEL, 4 * kThreads);  // per thread
  const long long row = static_cast<long long>(blockIdx.x) * D_MODEL;
  float4 values[kFours] = {};
  float total[1] = {0};
#pragma unroll
  for (int i = 0; i < kFours; ++i) {
    const int column = 4 * (i * kThreads + static_cast<int>(threadIdx.x));
    if (column >= D_MODEL) continue;
    values[i] = loadFour(hidden + row + column);
    if (delta != nullptr) {
      const float4 added = loadFourElements(delta + row + column);
      values[i] =
          make_float4(values[i].x + added.x, values[i].y + added.y, values[i].z + added.z, values[i].w + added.w);
      *reinterpret_cast<float4*>(sum + row + column) = values[i];
    }
    total[0] += squares(values[i]);
  }
  sumOverBlock(total, sums);
  const float factor = normFactor(total[0]);
#pragma unroll
  for (int i = 0; i < kFours; ++i) {
    const int column = 4 * (i * kThreads + static_cast<int>(threadIdx.x));
    if (column < D_MODEL) store(row + column, normalized(values[i], factor, loadFour(norm + column)));
  }
}

}  // namespace

extern "C" {

#if ROWS > 0

/// The final norm: float32 [rows, D_MODEL] from the hidden states. A block per row, with as many threads as normArgmax,
/// so that both add up in the same order.
__global__ void __launch_bounds__(kLinearThreads) normalize(const float* hidden, const float* norm, float* states) {
  letNextStart();
  waitForPrevious();
  __shared__ float sums[kLinearThreads / kLanes][1];
  addAndNormalize(sums, hidden, nullptr, nullptr, norm,
                  [&](long long at, const float4& values) { *reinterpret_cast<float4*>(states + at) = values; });
}

#else

/// hidden += delta (null: nothing is added); output = the rounded norm of hidden. All [rows, D_MODEL]. A block per row.
__global__ void __launch_bounds__(kRowThreads)
    addNorm(float* hidden, const Element* delta, const float* norm, Element* output) {
  letNextStart();
  waitForPrevious();
  __shared__ float sums[kRowThreads / kLanes][1];
  addAndNormalize(sums, hidden, hidden, delta, norm,
                  [&](long long at, const float4& values) { storeFour(output + at, values); });
}

/// As addNorm, with float32 results: the final norm.
__global__ void __launch_bounds__(kRowThreads)
    addNormalize(float* hidden, const Element* delta, const float* norm, float* states) {
  letNextStart();
  waitForPrevious();
  __shared__ float sums[kRowThreads / kLanes][1];
  addAndNormalize(sums, hidden, hidden, delta, norm,
                  [&](long long at, const float4& values) { *reinterpret_cast<float4*>(states + at) = values; });
}

#endif

}  // extern "C"
}  // namespace torch_t5
