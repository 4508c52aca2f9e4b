// Memory of large results, reused when JavaScript releases them: the first touch of fresh memory takes longer than
// writing the result.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace torch_t5 {

class BufferPool {
 public:
  BufferPool();

  /// An uninitialized float32 tensor, the only one in its memory. It may outlive the pool, and be freed on any thread.
  at::Tensor take(at::IntArrayRef shape);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace torch_t5
