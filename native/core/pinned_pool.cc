#include "core/pinned_pool.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace torch_t5 {

constexpr std::size_t kPage = 4096;    // bytes; the system pins whole pages
constexpr std::size_t kSizeSteps = 8;  // of buffer sizes between two powers of two: at most an eighth is unused

std::size_t PinnedPool::bufferSize(std::size_t bytes) {
  const std::size_t step = std::max(kPage, std::bit_floor(bytes) / kSizeSteps);
  return (bytes + step - 1) / step * step;
}

PinnedPool::~PinnedPool() {
  for (const Buffer& buffer : idle_) memory_.free(buffer.begin);
}

void* PinnedPool::take(std::size_t bytes) {
  const std::size_t size = bufferSize(bytes);
  std::vector<void*> removed;
  {
    const std::lock_guard lock(mutex_);
    if (const Buffer idle = takeIdle(bytes, size); idle.begin != nullptr) {
      used_.emplace(idle.begin, idle.bytes);
      return idle.begin;
    }
    if (totalBytes_ + size > limits_.totalBytes) {
      const std::size_t excess = totalBytes_ + size - limits_.totalBytes;
      if (excess > idleBytes_) return nullptr;
      removed = removeIdle(idleBytes_ - excess, /*kept=*/0);
    }
    totalBytes_ += size;
  }
  // Without the lock: both take long, and `giveBack` must not wait for them.
  free(removed);
  void* begin = memory_.allocate(size);
  const std::lock_guard lock(mutex_);
  if (begin == nullptr) {
    totalBytes_ -= size;
  } else {
    used_.emplace(begin, size);
  }
  return begin;
}

void PinnedPool::giveBack(void* buffer) noexcept {
  try {
    std::vector<void*> removed;
    {
      const std::lock_guard lock(mutex_);
      const auto found = used_.find(buffer);
      if (found == used_.end()) return;
      idle_.push_back({buffer, found->second});
      idleBytes_ += found->second;
      used_.erase(found);
      removed = removeIdle(limits_.idleBytes, /*kept=*/1);
    }
    free(removed);
  } catch (const std::bad_alloc&) {
    // The buffer stays in use.
  }
}

/// The smallest idle buffer that has `bytes`, and that is at most a quarter larger or no larger than `newSize`, the
/// size of a new buffer.
PinnedPool::Buffer PinnedPool::takeIdle(std::size_t bytes, std::size_t newSize) {
  const std::size_t maxBytes = std::max(newSize, bytes + bytes / 4);
  auto best = idle_.end();
  for (auto candidate = idle_.begin(); candidate != idle_.end(); ++candidate) {
    if (candidate->bytes < bytes || candidate->bytes > maxBytes) continue;
    if (best == idle_.end() || candidate->bytes < best->bytes) best = candidate;
  }
  if (best == idle_.end()) return {};
  const Buffer buffer = *best;
  idle_.erase(best);
  idleBytes_ -= buffer.bytes;
  return buffer;
}

/// Removes the oldest idle buffers until they have at most `maxIdleBytes`, or until `kept` are left. The caller frees
/// them.
std::vector<void*> PinnedPool::removeIdle(std::size_t maxIdleBytes, std::size_t kept) {
  std::vector<void*> removed;
  while (idleBytes_ > maxIdleBytes && idle_.size() > kept) {
    removed.push_back(idle_.front().begin);
    idleBytes_ -= idle_.front().bytes;
    totalBytes_ -= idle_.front().bytes;
    idle_.pop_front();
  }
  return removed;
}

void PinnedPool::free(const std::vector<void*>& buffers) noexcept {
  for (void* buffer : buffers) memory_.free(buffer);
}

}  // namespace torch_t5
