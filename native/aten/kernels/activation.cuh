// The activation of the feed-forward layers: ACTIVATION is the value of `Activation` (core/requests.h).
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/element.cuh"

namespace torch_t5 {
namespace {

__device__ __forceinline__ float activation(float x) {
  if (ACTIVATION == 0) return x > 0 || x != x ? x : 0;  // relu
  if (ACTIVATION == 1) {                                // gelu_new
    constexpr float kRootOfTwoOverPi = 0.79788456F;
    return 0.5F * x * (1 + tanhf(kRootOfTwoOverPi * (x + 0.044715F * x * x * x)));
  }
  if (ACTIVATION == 2) {  // gelu
    constexpr float kRootOfHalf = 0.70710678F;
    return 0.5F * x * (1 + erff(x * kRootOfHalf));
  }
  return x / (1 + expf(-x));  // silu
}

}  // namespace

#if ROWS == 0

extern "C" {

/// The activation of `projected` [rows, D_FF], or if GATED that of its first half times its second half
/// [rows, 2, D_FF]. Blocks: rows, and any number in y that share a row.
__global__ void __launch_bounds__(kRowThreads) activate(const Element* projected, Element* output) {
  letNextStart();
  waitForPrevious();
  const long long row = blockIdx.x;
  const Element* gate = projected + row * D_FF * (GATED ? 2 : 1);
  for (int column = 4 * static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x); column < D_FF;
       column += 4 * kRowThreads * static_cast<int>(gridDim.y)) {
    float4 values = loadFourElements(gate + column);
    values = make_float4(activation(values.x), activation(values.y), activation(values.z), activation(values.w));
    if (GATED) {
      const float4 up = loadFourElements(gate + D_FF + column);
      values = make_float4(values.x * up.x, values.y * up.y, values.z * up.z, values.w * up.w);
    }
    storeFour(output + row * D_FF + column, values);
  }
}

}  // extern "C"

#endif

}  // namespace torch_t5
