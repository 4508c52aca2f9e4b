// What the NVIDIA driver says of this machine, asked without libtorch: opening libtorch_cuda costs seconds and hundreds
// of MB, so it must be worth it.
#pragma once

#include <string>
#include <vector>

namespace torch_t5 {

/// The names of the CUDA devices that the driver shows; empty without a driver. Asked once per process.
const std::vector<std::string>& cudaDeviceNames();

}  // namespace torch_t5
