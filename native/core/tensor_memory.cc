#include "core/tensor_memory.h"

#include <c10/core/CPUAllocator.h>

#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "core/platform/huge_pages.h"

namespace torch_t5 {
namespace {

constexpr std::size_t kMinBytes = std::size_t{8} << 10;        // the heap keeps smaller blocks well
constexpr std::size_t kMinMappedBytes = std::size_t{1} << 20;  // larger blocks get mappings of their own
constexpr std::size_t kMaxFreeBytes = std::size_t{128} << 20;
constexpr std::size_t kMaxFreeBlocks = 1024;

[[maybe_unused]] std::size_t roundUp(std::size_t bytes, std::size_t granule) {
  return (bytes + granule - 1) / granule * granule;
}

thread_local const TensorMemory* current = nullptr;

}  // namespace

class TensorMemory::State {
 public:
  /// Stands before the data of every tensor. Its size keeps the alignment of the data, on which bits of MKL's products
  /// depend.
  struct alignas(64) Block {
    std::shared_ptr<State> owner;  // null: the block is freed after its first use
    std::size_t size = 0;          // bytes, with the header
    bool isMapped = false;
  };

  State() { free_.reserve(kMaxFreeBlocks + 1); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    for (Block* block : free_) destroy(block);
  }

  /// A block of `bytes` or a little more. Throws std::bad_alloc or libtorch's error when memory runs out.
  static Block* make(std::size_t bytes) {
#ifdef __linux__
    if (bytes >= kMinMappedBytes) {
      // Whole huge pages.
      const std::size_t size = roundUp(bytes, std::size_t{2} << 20);
      return new (mapHugePages(size)) Block{nullptr, size, true};
    }
#endif
    return new (c10::GetDefaultCPUAllocator()->raw_allocate(bytes)) Block{nullptr, bytes, false};
  }

  static void destroy(Block* block) noexcept {
#ifdef __linux__
    if (block->isMapped) {
      const std::size_t size = block->size;
      block->~Block();
      unmapHugePages(block, size);
      return;
    }
#endif
    block->~Block();
    c10::GetDefaultCPUAllocator()->raw_deallocate(block);
  }

  /// The block that was released last, of those that are at most a quarter larger. Null: none.
  Block* find(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    for (auto found = free_.rbegin(); found != free_.rend(); ++found) {
      Block* const block = *found;
      if (block->size < bytes || block->size > bytes + bytes / 4 + slack(bytes)) continue;
      free_.erase(std::next(found).base());
      freeBytes_ -= block->size;
      return block;
    }
    return nullptr;
  }

  /// Keeps a block, and frees the ones that were released first if there are too many.
  void release(Block* block) noexcept {
    std::unique_lock lock(mutex_);
    if (isClosed_ || block->size > kMaxFreeBytes) {
      lock.unlock();
      destroy(block);
      return;
    }
    free_.push_back(block);  // has room
    freeBytes_ += block->size;
    while (freeBytes_ > kMaxFreeBytes || free_.size() > kMaxFreeBlocks) {
      Block* const oldest = free_.front();
      free_.erase(free_.begin());
      freeBytes_ -= oldest->size;
      destroy(oldest);
    }
  }

  void close() noexcept {
    const std::lock_guard lock(mutex_);
    isClosed_ = true;
    for (Block* block : free_) destroy(block);
    free_.clear();
    freeBytes_ = 0;
  }

  std::size_t freeBytes() const {
    const std::lock_guard lock(mutex_);
    return freeBytes_;
  }

 private:
  /// What the rounding to huge pages adds.
  static std::size_t slack(std::size_t bytes) { return bytes >= kMinMappedBytes ? std::size_t{2} << 20 : 0; }

  mutable std::mutex mutex_;
  std::vector<Block*> free_;  // in the order of their release
  std::size_t freeBytes_ = 0;
  bool isClosed_ = false;
};

/// libtorch's allocator of CPU memory.
class TensorAllocator final : public c10::Allocator {
 public:
  static void install() {
    // libtorch may free memory until the process ends.
    static auto* const allocator = new TensorAllocator;
    static const bool isInstalled = (c10::SetCPUAllocator(allocator, /*priority=*/1), true);
    static_cast<void>(isInstalled);
  }

  c10::DataPtr allocate(std::size_t bytes) override {
    void* const data = bytes == 0 ? nullptr : take(bytes + sizeof(Block)) + 1;
    return {data, data, &release, c10::DeviceType::CPU};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }

 private:
  using State = TensorMemory::State;
  using Block = State::Block;

  static Block* take(std::size_t bytes) {
    if (current == nullptr || bytes < kMinBytes) {
      return new (c10::GetDefaultCPUAllocator()->raw_allocate(bytes)) Block{nullptr, bytes, false};
    }
    const std::shared_ptr<State>& state = current->state_;
    Block* block = state->find(bytes);
    if (block == nullptr) block = State::make(bytes);
    block->owner = state;
    return block;
  }

  static void release(void* data) {
    if (data == nullptr) return;
    Block* const block = static_cast<Block*>(data) - 1;
    if (const std::shared_ptr<State> owner = std::move(block->owner)) {
      owner->release(block);
    } else {
      State::destroy(block);
    }
  }
};

TensorMemory::TensorMemory() : state_(std::make_shared<State>()) { TensorAllocator::install(); }

TensorMemory::~TensorMemory() { close(); }

void TensorMemory::close() noexcept { state_->close(); }

std::size_t TensorMemory::freeBytes() const { return state_->freeBytes(); }

TensorMemory::Scope::Scope(const TensorMemory* memory) noexcept : outer_(std::exchange(current, memory)) {}

TensorMemory::Scope::~Scope() { current = outer_; }

}  // namespace torch_t5
