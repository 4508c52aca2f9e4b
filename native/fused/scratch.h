// Memory for what exists only during a call: taken in the order of a stack, and kept for the next call.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace torch_t5 {

class Scratch {
 public:
  /// Gives back what was taken since.
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

  /// Uninitialized, aligned to a cache line.
  template <class Number>
  Number* take(std::int64_t count) {
    return reinterpret_cast<Number*>(takeBytes(static_cast<std::size_t>(count) * sizeof(Number)));
  }

  /// Makes one block of what the last calls needed, or none of more than `kKeptBytes`. Nothing may be taken.
  void callback();

 private:
  static constexpr std::size_t kKeptBytes = std::size_t{128} << 20;
  static constexpr std::size_t kLeastBlock = std::size_t{4} << 20;

  std::byte* takeBytes(std::size_t bytes);

  std::vector<at::Tensor> blocks_;
  std::size_t block_ = 0;  // the one that is being taken from
  std::size_t used_ = 0;   // bytes of it
  std::size_t next_ = 0;   // bytes of the next block to be allocated, at least
};

}  // namespace torch_t5
