#include "engine/runtime_info.h"

#include <ATen/Config.h>
#include <ATen/Version.h>

#include "core/platform/cuda_driver.h"
#include "engine/cuda_library.h"
#include "engine/threads.h"

namespace torch_t5 {

RuntimeInfo runtimeInfo() {
  return {
      .cpuCapability = at::get_cpu_capability(),
      .parallelBackend = AT_PARALLEL_OPENMP ? "OpenMP" : "native",
      .intraOpThreads = intraOpThreads(),
      .interOpThreads = interOpThreads(),
      .cudaDevices = cudaDeviceNames(),
      .cudaLibrary = cudaLibraryState(),
  };
}

}  // namespace torch_t5
