// The memory of large tensors, kept for the next tensor of about the same size. A decoding step makes tensors of the
// same sizes again and again (logits, probabilities, masks), and results come back when JavaScript releases them. The
// heap would return such memory to the system and fault it in again at the next step, which takes longer than the
// computation on it.
#pragma once

#include <cstddef>
#include <memory>

namespace torch_t5 {

/// May be used by several threads. Tensors may outlive it, and be freed on any thread.
class TensorMemory {
 public:
  /// The first instance replaces libtorch's allocator of CPU memory, for the whole process. Without a scope, the
  /// allocator takes libtorch's own memory.
  TensorMemory();
  ~TensorMemory();
  TensorMemory(const TensorMemory&) = delete;
  TensorMemory& operator=(const TensorMemory&) = delete;

  /// While the scope lives, tensors that this thread makes use `memory`. Null: libtorch's own.
  class Scope {
   public:
    explicit Scope(const TensorMemory* memory) noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const TensorMemory* outer_;
  };

  /// Frees the blocks that no tensor uses, and keeps none from now on.
  void close() noexcept;

  /// Bytes of the blocks that no tensor uses.
  std::size_t freeBytes() const;

 private:
  friend class TensorAllocator;
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace torch_t5
