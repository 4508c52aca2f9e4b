// Makes a CUDA device the calling thread's current one.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>

namespace torch_t5 {

/// While it exists, the device is current, for libtorch and for the driver. libtorch's own guard makes no call if the
/// device is already current, so on a thread that has not yet used CUDA the driver would have no context.
class DeviceScope {
 public:
  explicit DeviceScope(const at::Device& device) : guard_(device) { C10_CUDA_CHECK(cudaSetDevice(device.index())); }

 private:
  c10::cuda::CUDAGuard guard_;
};

/// A device with its index: "cuda" is the current one.
inline at::Device withIndex(const at::Device& device) {
  return device.has_index() ? device : at::Device(at::kCUDA, c10::cuda::current_device());
}

}  // namespace torch_t5
