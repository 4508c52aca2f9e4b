// Copies results from the device to the CPU. All copies of one call are enqueued before the host waits for any of them.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

#include <optional>
#include <vector>

namespace torch_t5 {

/// Copies from a GPU run on a stream of their own, into pinned memory if there is a CudaRuntime. Used by one thread.
class ResultCopies {
 public:
  ResultCopies() = default;
  ResultCopies(const ResultCopies&) = delete;
  ResultCopies& operator=(const ResultCopies&) = delete;

  /// Waits: the device still writes to the results.
  ~ResultCopies();

  /// The tensor as a result: contiguous on the CPU, of the given type, and the only tensor in its allocation, because
  /// JavaScript receives the whole allocation as one ArrayBuffer. Copies only if necessary. The numbers of a tensor
  /// that is on a GPU are there after `wait`.
  at::Tensor add(at::Tensor tensor, at::ScalarType type);

  /// Waits for the copies. Throws libtorch's exception if the GPU failed.
  void wait();

 private:
  void enqueueCopy(const at::Tensor& source, const at::Tensor& destination);

  std::optional<c10::Stream> stream_;     // of the copies; none: nothing was enqueued
  std::vector<at::Tensor> sources_;       // kept until their copies have ended
  std::vector<at::Tensor> destinations_;  // kept as long, in case a failed call drops its results
};

/// One result of a call, complete.
at::Tensor owned(at::Tensor tensor, at::ScalarType type);

}  // namespace torch_t5
