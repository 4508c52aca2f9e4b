// What enters and leaves the layers as rows: embeddings, and the states of the language model head.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/element.cuh"
#include "aten/kernels/launch_sizes.h"

namespace torch_t5 {
namespace {

/// hidden [D_MODEL] = embedding[id], in float32. Called by all threads of a block.
__device__ __forceinline__ void embedId(const Element* embedding, long long id, float* hidden) {
  const Element* from = embedding + id * D_MODEL;
  for (int column = 4 * static_cast<int>(threadIdx.x); column < D_MODEL; column += 4 * static_cast<int>(blockDim.x))
    *reinterpret_cast<float4*>(hidden + column) = loadFourElements(from + column);
}

}  // namespace

extern "C" {

/// hidden[row] = embedding[ids[row]], in float32. A block per row; ids of rows that are not in use are valid ids too.
__global__ void __launch_bounds__(kRowThreads) embed(const long long* ids, const Element* embedding, float* hidden) {
  letNextStart();
  waitForPrevious();
  embedId(embedding, ids[blockIdx.x], hidden + static_cast<long long>(blockIdx.x) * D_MODEL);
}

#if ROWS == 0

/// output = states * scale, rounded. `count`: elements, a multiple of 4.
__global__ void __launch_bounds__(kRowThreads)
    scaleStates(const float* states, float scale, Element* output, int count) {
  letNextStart();
  waitForPrevious();
  for (int i = 4 * static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count;
       i += 4 * static_cast<int>(gridDim.x * blockDim.x))
    storeFour(output + i, scaled(loadFour(states + i), scale));
}

#endif

}  // extern "C"
}  // namespace torch_t5
