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

constexpr std::size_t kLeastBytes = std::size_t{1} << 20;  // smaller results are allocated each time
constexpr std::size_t kGranule = std::size_t{2} << 20;     // sizes are rounded up to it, so that similar results share
constexpr std::size_t kMostFreeBytes = std::size_t{128} << 20;

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

  void giveBack(at::Tensor buffer) {
    std::vector<at::Tensor> freed;  // outside of the lock
    const std::lock_guard lock(mutex);
    free.push_back(std::move(buffer));
    std::size_t bytes = 0;
    for (const at::Tensor& held : free) bytes += held.nbytes();
    while (bytes > kMostFreeBytes) {
      bytes -= free.front().nbytes();
      freed.push_back(std::move(free.front()));
      free.erase(free.begin());
    }
  }
};

BufferPool::BufferPool() : state_(std::make_shared<State>()) {}

at::Tensor BufferPool::take(at::IntArrayRef shape) {
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(shape)) * sizeof(float);
  if (bytes < kLeastBytes) return at::empty(shape, at::kFloat);
  at::Tensor buffer = state_->take(bytes);
  if (!buffer.defined()) {
    const std::size_t size = (bytes + kGranule - 1) / kGranule * kGranule;
    buffer = emptyInHugePages({static_cast<std::int64_t>(size)}, at::kByte);
  }
  void* data = buffer.data_ptr();
  const auto giveBack = [buffer = std::move(buffer), pool = std::weak_ptr<State>(state_)](void*) mutable {
    if (const auto state = pool.lock()) state->giveBack(std::move(buffer));
  };
  return at::from_blob(data, shape, giveBack, at::kFloat);
}

}  // namespace torch_t5
