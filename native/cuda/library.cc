// The library torch_t5_cuda: what CUDA offers beyond libtorch's operators. The addon opens it after libtorch_cuda, for
// a CUDA device only.
#include <mutex>

#include "cuda/graph.h"
#include "cuda/kernels.h"
#include "cuda/pinned_memory.h"
#include "engine/cuda_runtime.h"

namespace torch_t5 {
namespace {

class LibtorchCudaRuntime final : public CudaRuntime {
 public:
  std::unique_ptr<DeviceKernels> compile(const std::string& source, const std::vector<std::string>& definitions,
                                         const at::Device& device) override {
    return makeKernels(source, definitions, device);
  }

  std::unique_ptr<DeviceGraph> capture(const at::Device& device, const std::function<void()>& record) override {
    return captureGraph(device, record);
  }

  at::Tensor pinned(at::IntArrayRef sizes, at::ScalarType type) override { return pinnedTensor(*pool_, sizes, type); }

 private:
  PinnedPool* const pool_ = makePinnedPool();
};

}  // namespace
}  // namespace torch_t5

// The two exported functions. engine/cuda_library.cc has their types.

/// The version of libtorch that this library was built with.
extern "C" [[gnu::visibility("default")]] const char* torch_t5_cuda_libtorch_version() {
  return TORCH_T5_LIBTORCH_VERSION;
}

/// This process's runtime, the same at every call. It is never freed.
extern "C" [[gnu::visibility("default")]] torch_t5::CudaRuntime* torch_t5_make_cuda_runtime() {
  static torch_t5::CudaRuntime* const runtime = new torch_t5::LibtorchCudaRuntime();
  return runtime;
}
