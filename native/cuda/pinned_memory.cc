#include "cuda/pinned_memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/accumulate.h>

#include <optional>

#include "core/platform/physical_memory.h"
#include "cuda/device_scope.h"

namespace torch_t5 {
namespace {

constexpr std::size_t kMaxShare = 4;                           // of the machine's memory that is pinned: a quarter
constexpr std::size_t kMaxIdleBytes = std::size_t{256} << 20;  // kept for later results

/// A device that this process already uses, because a call would otherwise initialize device 0 as well.
at::Device usedDevice() {
  const std::optional<c10::DeviceIndex> index = c10::cuda::getDeviceIndexWithPrimaryContext();
  return {at::kCUDA, index.value_or(0)};
}

void* pin(std::size_t bytes) noexcept {
  try {
    const DeviceScope scope(usedDevice());
    void* begin = nullptr;
    if (cudaHostAlloc(&begin, bytes, cudaHostAllocPortable) == cudaSuccess) return begin;
    static_cast<void>(cudaGetLastError());
  } catch (...) {
    // No memory is pinned; the next use of the GPU reports why it fails.
  }
  return nullptr;
}

void unpin(void* begin) noexcept {
  try {
    const DeviceScope scope(usedDevice());
    if (cudaFreeHost(begin) != cudaSuccess) static_cast<void>(cudaGetLastError());
  } catch (...) {
    // The GPU is lost or CUDA has been shut down; the memory returns to the system with the process.
  }
}

}  // namespace

PinnedPool* makePinnedPool() {
  return new PinnedPool({.allocate = pin, .free = unpin},
                        {.totalBytes = physicalMemory() / kMaxShare, .idleBytes = kMaxIdleBytes});
}

at::Tensor pinnedTensor(PinnedPool& pool, at::IntArrayRef sizes, at::ScalarType type) {
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(sizes)) * c10::elementSize(type);
  if (bytes == 0) return at::empty(sizes, type);
  void* begin = pool.take(bytes);
  if (begin == nullptr) return {};
  return at::from_blob(begin, sizes, [&pool](void* buffer) { pool.giveBack(buffer); }, at::TensorOptions(type));
}

}  // namespace torch_t5
