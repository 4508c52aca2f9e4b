// Compiled kernels on one device.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/cuda_runtime.h"

namespace torch_t5 {

/// `CudaRuntime::compile`. Compiled kernels are stored in the user's cache.
std::unique_ptr<DeviceKernels> makeKernels(const std::string& source, const std::vector<std::string>& definitions,
                                           const at::Device& device);

}  // namespace torch_t5
