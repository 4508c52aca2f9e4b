#include "aten/host_copy.h"

#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace torch_t5 {

HostCopy::~HostCopy() {
  try {
    if (isStarted_) wait();
  } catch (...) {
    // The device is lost, so nothing writes to the memory any more.
  }
}

void HostCopy::start(CudaRuntime& runtime, const at::Tensor& tensor) {
  if (!host_.defined()) host_ = runtime.pinned(tensor.sizes(), tensor.scalar_type());
  if (!host_.defined()) host_ = at::empty(tensor.sizes(), tensor.options().device(at::kCPU));
  host_.copy_(tensor, /*non_blocking=*/true);
  isStarted_ = true;
  const at::Device device = tensor.device();
  if (device.is_cpu()) return;  // already copied
  if (!copied_) copied_.emplace(device.type());
  copied_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

const at::Tensor& HostCopy::wait() {
  if (copied_) copied_->synchronize();
  isStarted_ = false;
  return host_;
}

}  // namespace torch_t5
