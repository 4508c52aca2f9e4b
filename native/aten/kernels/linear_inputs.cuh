// The inputs of products with few rows: how they get into shared memory.
#pragma once

#include "aten/kernels/linear.cuh"
#include "aten/kernels/norm.cuh"

#if ROWS > 0

namespace torch_t5 {
namespace {

/// Zeros after the end of each row of D_MODEL elements.
template <int kStride>
__device__ __forceinline__ void fillAfterModel(Element* chunk, int first, int count) {
  if (D_MODEL % kTile == 0) return;
  for (int column = larger(D_MODEL - first, 0) + static_cast<int>(threadIdx.x); column < count;
       column += kLinearThreads) {
#pragma unroll
    for (int row = 0; row < ROWS; ++row) chunk[row * kStride + column] = 0;
  }
}

/// Rows of elements [ROWS, size].
template <int kThreads, int kStride>
struct PlainInput {
  const Element* rows;
  int size;

  __device__ void beforeWait() const {}
  __device__ void prepare() const {}

  __device__ __forceinline__ void fill(Element* chunk, int first, int count) const {
    for (int column = static_cast<int>(threadIdx.x) * kVector; column < count; column += kThreads * kVector) {
      Vector vectors[ROWS];
#pragma unroll
      for (int row = 0; row < ROWS; ++row) {
        vectors[row] = first + column < size ? loadVector(rows + static_cast<long long>(row) * size + first + column)
                                             : Vector{0, 0, 0, 0};
      }
#pragma unroll
      for (int row = 0; row < ROWS; ++row) storeVector(chunk + row * kStride + column, vectors[row]);
    }
  }
};

/// The rounded product of a number and the norm of hidden states [ROWS, D_MODEL]. kMostFours: norms that a thread has
/// registers for while it waits, in units of four.
template <int kStride, int kMostFours = 8>
struct NormInput {
  static constexpr int kFours = ceilDiv(D_MODEL, 4 * kLinearThreads);           // per thread
  static constexpr bool kIsEarly = kStride >= D_MODEL && kFours <= kMostFours;  // one chunk

  const float* hidden;
  const float* norm;
  float (&sums)[kLinearThreads / kLanes][ROWS];  // shared memory
  float scale = 1;
  float4 norms[kIsEarly ? kFours : 1];

  __device__ static int columnOf(int i) { return 4 * (i * kLinearThreads + static_cast<int>(threadIdx.x)); }

  /// Norms are weights.
  __device__ __forceinline__ void beforeWait() {
    if constexpr (kIsEarly) {
#pragma unroll
      for (int i = 0; i < kFours; ++i)
        norms[i] = columnOf(i) < D_MODEL ? loadFour(norm + columnOf(i)) : make_float4(0, 0, 0, 0);
    }
  }

  __device__ __forceinline__ void prepare() {
    float totals[ROWS] = {};
#pragma unroll
    for (int i = 0; i < kFours; ++i) {
      if (columnOf(i) >= D_MODEL) continue;
#pragma unroll
      for (int row = 0; row < ROWS; ++row) totals[row] += squares(loadFour(hidden + row * D_MODEL + columnOf(i)));
    }
    shareSums(totals, sums);
  }

  __device__ __forceinline__ void fill(Element* chunk, int first, int count) const {
    float factors[ROWS];  // not kept from prepare() on: the products need the registers
    addShared(factors, sums);
#pragma unroll
    for (int row = 0; row < ROWS; ++row) factors[row] = normFactor(factors[row]);
    if constexpr (kIsEarly) {
#pragma unroll
      for (int i = 0; i < kFours; ++i) {
        if (columnOf(i) < D_MODEL) fillFour(chunk, 0, columnOf(i), norms[i], factors);
      }
    } else {
      for (int column = columnOf(0); column < smaller(count, D_MODEL - first); column += 4 * kLinearThreads)
        fillFour(chunk, first, column, loadFour(norm + first + column), factors);
    }
    fillAfterModel<kStride>(chunk, first, count);
  }

  __device__ __forceinline__ void fillFour(Element* chunk, int first, int column, const float4& weights,
                                           const float (&factors)[ROWS]) const {
#pragma unroll
    for (int row = 0; row < ROWS; ++row) {
      const float4 values = loadFour(hidden + row * D_MODEL + first + column);
      storeFour(chunk + row * kStride + column, scaled(normalized(values, factors[row], weights), scale));
    }
  }
};

/// The rounded product of states [ROWS, D_MODEL] and a number.
template <int kStride>
struct ScaledInput {
  const float* states;
  float scale;

  __device__ void beforeWait() const {}
  __device__ void prepare() const {}

  __device__ __forceinline__ void fill(Element* chunk, int first, int count) const {
    for (int column = 4 * static_cast<int>(threadIdx.x); column < smaller(count, D_MODEL - first);
         column += 4 * kLinearThreads) {
#pragma unroll
      for (int row = 0; row < ROWS; ++row) {
        const float4 values = loadFour(states + row * D_MODEL + first + column);
        storeFour(chunk + row * kStride + column, scaled(values, scale));
      }
    }
    fillAfterModel<kStride>(chunk, first, count);
  }
};

}  // namespace
}  // namespace torch_t5

#endif
