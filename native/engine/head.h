// The interface of a head: a user's computation on a model's outputs, run before they leave the device.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"

namespace torch_t5 {

/// The tensors that a head may take. B batch, S source length, T target length, D d_model, V vocabulary size.
struct HeadInputs {
  at::Tensor logits;                  // [B, T, V]; may be undefined if the head does not read them
  at::Tensor encoderLastHiddenState;  // [B, S, D]
  at::Tensor decoderLastHiddenState;  // [B, T, D]
  at::Tensor attentionMask;           // [B, S] int64
  at::Tensor labels;                  // [B, T] int64; undefined if the call has none
};

/// Used in inference mode on the engine's thread. It may be freed on any thread.
class Head {
 public:
  Head() = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  virtual ~Head() = default;

  /// The names of its arguments, as written in its code. May be called on any thread.
  virtual const std::vector<std::string>& inputs() const = 0;

  /// Whether it takes the logits. If it does not, they are not computed for it.
  virtual bool readsLogits() const = 0;

  /// Returns a dense float32 tensor of any shape. Throws ERR_ABORTED, ERR_OUT_OF_MEMORY, and ERR_INVALID_ARGUMENT
  /// if the head fails or takes labels that the call does not have.
  virtual at::Tensor run(const HeadInputs& inputs) const = 0;
};

}  // namespace torch_t5
