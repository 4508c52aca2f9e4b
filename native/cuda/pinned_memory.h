// Pinned host memory for results.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/pinned_pool.h"

namespace torch_t5 {

/// A pool over CUDA's pinned memory: at most a quarter of the machine's memory. Its memory is pinned for every device.
/// It must never be destroyed: JavaScript may give buffers back until the process ends.
PinnedPool* makePinnedPool();

/// `CudaRuntime::pinned`. `pool` must outlive the tensor.
at::Tensor pinnedTensor(PinnedPool& pool, at::IntArrayRef sizes, at::ScalarType type);

}  // namespace torch_t5
