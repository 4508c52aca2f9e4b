// What this process's libtorch says of itself.
#pragma once

#include <string>
#include <vector>

namespace torch_t5 {

struct RuntimeInfo {
  std::string libtorchVersion;  // of the headers that this was compiled with
  std::string cpuCapability;    // the instruction set of ATen's kernels: "AVX512", "AVX2", "DEFAULT", ...
  std::string parallelBackend;  // "OpenMP" or "native"
  int intraOpThreads = 0;       // the default of a thread that sets nothing
  int interOpThreads = 0;
  std::vector<std::string> cudaDevices;  // names, as the NVIDIA driver gives them
};

RuntimeInfo runtimeInfo();

}  // namespace torch_t5
