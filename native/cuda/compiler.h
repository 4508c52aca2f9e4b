// Compiles CUDA C++ with NVRTC, NVIDIA's compiler library. libtorch_cuda depends on it, so it is there wherever
// libtorch runs on a GPU.
#pragma once

#include <string>
#include <vector>

namespace torch_t5 {

/// What the driver loads, and what it depends on.
struct CompilerTarget {
  std::string architecture;  // NVRTC's option: "sm_90", or "compute_90" for a GPU that is newer than NVRTC
  bool isBinary = true;      // machine code of that GPU; otherwise PTX, which the driver compiles
  std::string version;       // of NVRTC
};

/// The target for a GPU of compute capability `major`.`minor`. Throws ERR_DEVICE_UNAVAILABLE without NVRTC.
CompilerTarget compilerTarget(int major, int minor);

/// The compiled source. `definitions`: "NAME=value". Throws ERR_INTERNAL with NVRTC's first error.
std::string compileKernels(const std::string& source, const std::vector<std::string>& definitions,
                           const CompilerTarget& target);

}  // namespace torch_t5
