// Resolves a device by name. libtorch's CUDA library is opened only if a CUDA device is requested and possible.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace torch_t5 {

/// `name`: "auto" (CUDA if there is a driver with a GPU and libtorch can use it, otherwise the CPU), "cpu", "cuda" or
/// "cuda:N". Throws ERR_DEVICE_UNAVAILABLE with advice on how to fix it, and ERR_INVALID_ARGUMENT for another name.
c10::Device resolveDevice(const std::string& name, const std::string& libtorchDirectory);

}  // namespace torch_t5
