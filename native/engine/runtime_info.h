// Describes this process's libtorch.
#pragma once

#include <string>
#include <vector>

namespace torch_t5 {

struct RuntimeInfo {
  std::string cpuCapability;    // the instruction set of ATen's kernels: "AVX512", "AVX2", "DEFAULT", ...
  std::string kernels;          // the instruction set of the fused engine's kernels; set by the caller
  std::string parallelBackend;  // "OpenMP" or "native"
  int intraOpThreads = 0;       // the default of a thread that sets no count
  int interOpThreads = 0;
  std::vector<std::string> cudaDevices;  // the NVIDIA driver's names
  std::string cudaLibrary;               // as `cudaLibraryState` describes it
};

RuntimeInfo runtimeInfo();

}  // namespace torch_t5
