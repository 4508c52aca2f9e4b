// Queries the NVIDIA driver without libtorch: opening libtorch_cuda takes seconds and hundreds of MB, so it is opened
// only on a machine with a GPU.
#pragma once

#include <string>
#include <vector>

namespace torch_t5 {

/// The driver's library, opened for the rest of the process; null without a driver.
void* openCudaDriver();

/// The names of the driver's CUDA devices; empty without a driver. The driver is queried once per process.
const std::vector<std::string>& cudaDeviceNames();

}  // namespace torch_t5
