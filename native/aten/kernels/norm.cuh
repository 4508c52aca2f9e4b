// T5's layer norm: x / sqrt(mean(x * x) + epsilon) * weight, without a mean to subtract and without a bias.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/element.cuh"
#include "aten/kernels/reduce.cuh"

namespace torch_t5 {
namespace {

__device__ __forceinline__ float squares(const float4& values) {
  return values.x * values.x + values.y * values.y + values.z * values.z + values.w * values.w;
}

/// The factor of a row with this sum of squares.
__device__ __forceinline__ float normFactor(float sum) { return rsqrtf(sum * (1.0F / D_MODEL) + EPSILON); }

__device__ __forceinline__ float4 normalized(const float4& values, float factor, const float4& norm) {
  return make_float4(values.x * factor * norm.x, values.y * factor * norm.y, values.z * factor * norm.z,
                     values.w * factor * norm.w);
}

using RowSums = float[kRowThreads / kLanes][1];

/// Adds `delta`, if there is one, to the block's row of `hidden`, and normalizes it: store(element, four values).
/// `sums`: shared memory.
template <class Store>
__device__ __forceinline__ void addAndNormalize(RowSums& sums, const float* hidden, float* sum, const Element* delta,
                                                const float* norm, const Store& store) {
  constexpr int kFours = ceilDiv(D_MODEL, 4 * kRowThreads);  // per thread
  const long long row = static_cast<long long>(blockIdx.x) * D_MODEL;
  float4 values[kFours] = {};
  float total[1] = {0};
#pragma unroll
  for (int i = 0; i < kFours; ++i) {
    const int column = 4 * (i * kRowThreads + static_cast<int>(threadIdx.x));
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
    const int column = 4 * (i * kRowThreads + static_cast<int>(threadIdx.x));
    if (column < D_MODEL) store(row + column, normalized(values[i], factor, loadFour(norm + column)));
  }
}

}  // namespace

extern "C" {

/// The final norm: float32 [rows, D_MODEL] from the hidden states. A block per row.
__global__ void __launch_bounds__(kRowThreads) normalize(const float* hidden, const float* norm, float* states) {
  letNextStart();
  waitForPrevious();
  __shared__ RowSums sums;
  addAndNormalize(sums, hidden, nullptr, nullptr, norm,
                  [&](long long at, const float4& values) { *reinterpret_cast<float4*>(states + at) = values; });
}

#if ROWS == 0

/// hidden += delta (null: nothing is added); output = the rounded norm of hidden. All [rows, D_MODEL]. A block per row.
__global__ void __launch_bounds__(kRowThreads)
    addNorm(float* hidden, const Element* delta, const float* norm, Element* output) {
  letNextStart();
  waitForPrevious();
  __shared__ RowSums sums;
  addAndNormalize(sums, hidden, hidden, delta, norm,
                  [&](long long at, const float4& values) { storeFour(output + at, values); });
}

/// As addNorm, with float32 results: the final norm.
__global__ void __launch_bounds__(kRowThreads)
    addNormalize(float* hidden, const Element* delta, const float* norm, float* states) {
  letNextStart();
  waitForPrevious();
  __shared__ RowSums sums;
  addAndNormalize(sums, hidden, hidden, delta, norm,
                  [&](long long at, const float4& values) { *reinterpret_cast<float4*>(states + at) = values; });
}

#endif

}  // extern "C"
}  // namespace torch_t5
