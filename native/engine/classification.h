// Classification of texts and of tokens: a head on the final hidden states.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/requests.h"
#include "engine/embedding.h"
#include "engine/shared_engine.h"

namespace torch_t5 {

/// The layers between a model's final hidden states and the logits of its labels, on the engine's device, in float32.
/// Hugging Face's T5ClassificationHead has two, with tanh between them, and a classifier of tokens one.
class ClassificationHead {
 public:
  /// At least one layer.
  explicit ClassificationHead(std::vector<Dense> layers) : layers_(std::move(layers)) {}

  /// [rows, dModel] to logits [rows, L]. `isBatchInvariant`: the bits of a row do not depend on the other rows.
  at::Tensor apply(at::Tensor rows, bool isBatchInvariant) const;

 private:
  std::vector<Dense> layers_;
};

/// The logits of a classifier with a head of its own: [B, L] of texts, where the head reads the decoder's state at
/// `sentence.positions`, and [B, S, L] of tokens, where it reads the encoder's states. Throws ERR_INVALID_ARGUMENT
/// without a head, and what the engine throws.
at::Tensor classifyStates(Engine& engine, const std::optional<ClassificationHead>& head, const at::Tensor& inputIds,
                          const at::Tensor& attentionMask, const Sentence& sentence);

/// Runs a request: float32 logits on the CPU. Throws what the engine throws.
Task<at::Tensor> runClassify(SharedEngine& engine, std::shared_ptr<const ClassifyRequest> request);

}  // namespace torch_t5
