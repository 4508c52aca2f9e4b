// The functions of the CUDA driver that load and launch kernels. The driver is part of the system and not of libtorch,
// so they are looked up at run time.
#pragma once

#include <cuda.h>

namespace torch_t5 {

struct Driver {
  decltype(&cuModuleLoadData) moduleLoadData = nullptr;
  decltype(&cuModuleUnload) moduleUnload = nullptr;
  decltype(&cuModuleGetFunction) moduleGetFunction = nullptr;
  decltype(&cuLaunchKernelEx) launchKernelEx = nullptr;
  decltype(&cuGetErrorString) getErrorString = nullptr;

  /// Throws libtorch's exception with the message of its own failures ("CUDA error: <the driver's text>").
  void check(CUresult result) const;
};

/// Looked up once per process. Throws ERR_DEVICE_UNAVAILABLE for a driver without one of the functions.
const Driver& driver();

}  // namespace torch_t5
