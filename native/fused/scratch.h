// Memory for the intermediate results of a call: an arena that is used as a stack, and kept for the next call.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace torch_t5 {

class Scratch {
 public:
  /// Releases everything that was taken during its lifetime.
  class Frame {
   public:
    explicit Frame(Scratch& scratch) : scratch_(scratch), block_(scratch.block_), used_(scratch.used_) {}
    ~Frame() {
      scratch_.block_ = block_;
      scratch_.used_ = used_;
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Scratch& scratch_;
    std::size_t block_;
    std::size_t used_;
  };

  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// Memory for `count` elements: uninitialized, aligned to a cache line.
  template <class Element>
  Element* take(std::int64_t count) {
    return reinterpret_cast<Element*>(takeBytes(static_cast<std::size_t>(count) * sizeof(Element)));
  }

  /// Releases everything. Several blocks are freed, and the next block gets their total size; a single block is kept
  /// unless it has more than `kMaxKeptBytes`.
  void reset();

 private:
  static constexpr std::size_t kMaxKeptBytes = std::size_t{128} << 20;
  static constexpr std::size_t kMinBlockBytes = std::size_t{4} << 20;

  std::byte* takeBytes(std::size_t bytes);

  std::vector<at::Tensor> blocks_;
  std::size_t block_ = 0;          // the current block
  std::size_t used_ = 0;           // bytes of the current block
  std::size_t nextBlockSize_ = 0;  // minimum bytes of the next block
};

}  // namespace torch_t5
