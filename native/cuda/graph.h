// CUDA graphs: the kernels of a computation, launched all at once.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "engine/cuda_runtime.h"

namespace torch_t5 {

/// `CudaRuntime::capture`.
std::unique_ptr<DeviceGraph> captureGraph(const at::Device& device, const std::function<void()>& record);

}  // namespace torch_t5
