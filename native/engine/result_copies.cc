#include "engine/result_copies.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

#include "engine/cuda_runtime.h"

namespace torch_t5 {
namespace {

/// Smaller results are copied at once into memory of the heap: a page is the minimum that can be pinned, and a copy of
/// this size takes a few microseconds.
constexpr std::size_t kMinPinnedBytes = std::size_t{64} << 10;

/// `tensor` on the CPU, copied only if it is not the only tensor in its allocation, or if the caller has it elsewhere,
/// too: a last hidden state is also the last of all hidden states.
at::Tensor ownedOnCpu(at::Tensor tensor, at::ScalarType type) {
  at::Tensor result = tensor.to(at::kCPU, type).contiguous();
  tensor.reset();
  const bool fillsAllocation = result.storage_offset() == 0 && result.storage().nbytes() == result.nbytes();
  if (fillsAllocation && result.storage().use_count() == 1 && result.use_count() == 1) return result;
  return result.clone();
}

at::Tensor pinned(const at::Tensor& tensor) {
  CudaRuntime* runtime = cudaRuntime();
  if (runtime == nullptr || tensor.nbytes() < kMinPinnedBytes) return {};
  return runtime->pinned(tensor.sizes(), tensor.scalar_type());
}

}  // namespace

ResultCopies::~ResultCopies() {
  try {
    wait();
  } catch (...) {
    // The call has failed for another reason, or `wait` has thrown this before. A lost GPU writes no more.
  }
}

at::Tensor ResultCopies::add(at::Tensor tensor, at::ScalarType type) {
  if (!tensor.is_cuda()) return ownedOnCpu(std::move(tensor), type);
  const at::Tensor source = tensor.to(type).contiguous();
  tensor.reset();
  const at::Tensor destination = pinned(source);
  if (!destination.defined()) return ownedOnCpu(source, type);
  sources_.push_back(source);
  destinations_.push_back(destination);
  enqueueCopy(source, destination);
  return destination;
}

void ResultCopies::enqueueCopy(const at::Tensor& source, const at::Tensor& destination) {
  const c10::impl::VirtualGuardImpl device(source.device().type());
  // Of high priority: graphs are captured on a stream of the other kind, which must not receive copies meanwhile.
  if (!stream_) stream_ = device.getStreamFromGlobalPool(source.device(), /*isHighPriority=*/true);
  c10::Event computed(source.device().type());
  computed.record(device.getStream(source.device()));
  computed.block(*stream_);
  const c10::StreamGuard guard(*stream_);
  destination.copy_(source, /*non_blocking=*/true);
}

void ResultCopies::wait() {
  if (!stream_) return;
  const c10::Stream stream = *std::exchange(stream_, std::nullopt);
  c10::Event copied(stream.device_type());
  copied.record(stream);
  copied.synchronize();
  sources_.clear();
  destinations_.clear();
}

at::Tensor owned(at::Tensor tensor, at::ScalarType type) {
  ResultCopies copies;
  at::Tensor result = copies.add(std::move(tensor), type);
  copies.wait();
  return result;
}

}  // namespace torch_t5
