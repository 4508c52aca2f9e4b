// Large results, whose memory comes back when JavaScript lets go of them: touching fresh memory for the first time
// takes longer than writing the numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace torch_t5 {

class BufferPool {
 public:
  BufferPool();

  /// float32, uninitialized, alone in its memory. It may outlive the pool, and be freed on any thread.
  at::Tensor take(at::IntArrayRef shape);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace torch_t5
