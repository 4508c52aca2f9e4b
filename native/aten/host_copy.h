// A copy from the device to the host that the host waits for later.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <optional>

#include "engine/cuda_runtime.h"

namespace torch_t5 {

class HostCopy {
 public:
  HostCopy() = default;
  HostCopy(const HostCopy&) = delete;
  HostCopy& operator=(const HostCopy&) = delete;
  /// Waits for a copy that is under way.
  ~HostCopy();

  /// Enqueues the copy of a contiguous tensor, each time of the same shape and type, on the current stream. Its values
  /// are those after the work that is already enqueued. The previous copy must have been waited for.
  void start(CudaRuntime& runtime, const at::Tensor& tensor);

  bool isStarted() const { return isStarted_; }

  /// Waits for the copy that was started, and returns it. It is overwritten by the next one.
  const at::Tensor& wait();

 private:
  at::Tensor host_;
  std::optional<c10::Event> copied_;
  bool isStarted_ = false;
};

}  // namespace torch_t5
