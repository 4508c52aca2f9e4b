// Reuses pinned host memory, because pinning takes far longer than copying: freed buffers are kept for later results,
// within limits. Depends on neither libtorch nor CUDA.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace torch_t5 {

/// Every method may be called on any thread.
class PinnedPool {
 public:
  /// How memory is pinned. Must not throw.
  struct Memory {
    std::function<void*(std::size_t bytes)> allocate;  // null if the system has no more memory to pin
    std::function<void(void* begin)> free;
  };

  struct Limits {
    std::size_t totalBytes = 0;  // of all buffers
    /// Of the buffers that no one uses. The buffer that was freed last is kept even if it is larger.
    std::size_t idleBytes = 0;
  };

  PinnedPool(Memory memory, Limits limits) : memory_(std::move(memory)), limits_(limits) {}
  PinnedPool(const PinnedPool&) = delete;
  PinnedPool& operator=(const PinnedPool&) = delete;

  /// Frees the idle buffers. No other buffer may be in use.
  ~PinnedPool();

  /// A buffer of `bytes`, or of up to a quarter more, uninitialized. Null if the total limit is reached, or if the
  /// system has no more memory to pin. `bytes` > 0.
  void* take(std::size_t bytes);

  /// Returns a buffer of `take`.
  void giveBack(void* buffer) noexcept;

  /// The size of the buffer that `take` allocates: `bytes` rounded up to an eighth of its largest power of two, and to
  /// whole pages.
  static std::size_t bufferSize(std::size_t bytes);

 private:
  struct Buffer {
    void* begin = nullptr;
    std::size_t bytes = 0;
  };

  Buffer takeIdle(std::size_t bytes, std::size_t newSize);
  std::vector<void*> removeIdle(std::size_t maxIdleBytes, std::size_t kept);
  void free(const std::vector<void*>& buffers) noexcept;

  const Memory memory_;
  const Limits limits_;
  std::mutex mutex_;
  std::unordered_map<void*, std::size_t> used_;  // buffer to its size
  std::deque<Buffer> idle_;                      // in the order in which they were given back
  std::size_t idleBytes_ = 0;
  std::size_t totalBytes_ = 0;  // used, idle and reserved for a running allocation
};

}  // namespace torch_t5
