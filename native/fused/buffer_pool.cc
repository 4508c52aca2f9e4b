#include "fused/buffer_pool.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/accumulate.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "core/platform/huge_pages.h"

namespace torch_t5 {
namespace {

constexpr std::size_t kMinPooledBytes = std::size_t{1} << 20;  // smaller results are not pooled
constexpr std::size_t kGranule = std::size_t{2} << 20;         // of buffer sizes: similar results reuse a buffer
constexpr std::size_t kMaxFreeBytes = std::size_t{128} << 20;  // kept for later results

}  // namespace

struct BufferPool::State {
  std::mutex mutex;
  std::vector<at::Tensor> free;

  at::Tensor take(std::size_t bytes) {
    const std::lock_guard lock(mutex);
    const auto found = std::find_if(free.begin(), free.end(), [&](const at::Tensor& buffer) {
      return buffer.nbytes() >= bytes && buffer.nbytes() <= bytes + bytes / 2 + kGranule;
    });
    if (found == free.end()) return {};
    at::Tensor buffer = std::move(*found);
    free.erase(found);
    return buffer;
  }

  void release(at::Tensor buffer) {
    std::vector<at::Tensor> freed;  // destroyed after the lock is released
    const std::lock_guard lock(mutex);
    free.push_back(std::move(buffer));
    std::size_t bytes = 0;
    for (const at::Tensor& held : free) bytes += held.nbytes();
    while (bytes > kMaxFreeBytes) {
      bytes -= free.front().nbytes();
      freed.push_back(std::move(free.front()));
      free.erase(free.begin());
    }
  }
};

BufferPool::BufferPool() : state_(std::make_shared<State>()) {}

at::Tensor BufferPool::take(at::IntArrayRef shape) {
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(shape)) * sizeof(float);
  if (bytes < kMinPooledBytes) return at::empty(shape, at::kFloat);
  at::Tensor buffer = state_->take(bytes);
  if (!buffer.defined()) {
    const std::size_t size = (bytes + kGranule - 1) / kGranule * kGranule;
    buffer = emptyInHugePages({static_cast<std::int64_t>(size)}, at::kByte);
  }
  void* data = buffer.data_ptr();
  const auto release = [buffer = std::move(buffer), pool = std::weak_ptr<State>(state_)](void*) mutable {
    if (const auto state = pool.lock()) state->release(std::move(buffer));
  };
  return at::from_blob(data, shape, release, at::kFloat);
}

}  // namespace torch_t5
