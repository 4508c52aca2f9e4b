#include "engine/cuda_runtime.h"

#include <atomic>

namespace torch_t5 {
namespace {

std::atomic<CudaRuntime*>& processRuntime() {
  static std::atomic<CudaRuntime*> runtime{nullptr};
  return runtime;
}

}  // namespace

CudaRuntime* cudaRuntime() noexcept { return processRuntime().load(); }

void setCudaRuntime(CudaRuntime* runtime) noexcept { processRuntime().store(runtime); }

}  // namespace torch_t5
