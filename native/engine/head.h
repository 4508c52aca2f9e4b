// What a user computes on a model's outputs before they leave the device.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"

namespace torch_t5 {

/// What a head may look at. B batch, S source length, T target length, D d_model, V vocabulary.
struct HeadInputs {
  at::Tensor logits;                  // [B, T, V]; possibly undefined for a head that doesn't read them
  at::Tensor encoderLastHiddenState;  // [B, S, D]
  at::Tensor decoderLastHiddenState;  // [B, T, D]
  at::Tensor attentionMask;           // [B, S] int64
  at::Tensor labels;                  // [B, T] int64; undefined where the call has none
};

class Head {
 public:
  Head() = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  virtual ~Head() = default;

  /// The names of its arguments, as they stand in its code.
  virtual const std::vector<std::string>& inputs() const = 0;

  /// Whether its arguments name the logits. Else nothing computes them for it.
  virtual bool readsLogits() const = 0;

  /// Throws ERR_INVALID_ARGUMENT where it fails, or asks for labels that the call lacks.
  virtual at::Tensor run(const HeadInputs& inputs) const = 0;
};

}  // namespace torch_t5
