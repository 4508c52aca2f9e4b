// Turns the name of a device into one that works, opening libtorch's CUDA part only when it is needed.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace torch_t5 {

/// `wanted`: "auto" (CUDA if there is a driver and libtorch has its CUDA part, else CPU), "cpu", "cuda" or "cuda:N".
/// Throws ERR_DEVICE_UNAVAILABLE with what to do about it, ERR_INVALID_ARGUMENT for another name.
c10::Device resolveDevice(const std::string& wanted, const std::string& libtorchDirectory);

}  // namespace torch_t5
