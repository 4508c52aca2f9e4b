// Embeddings of texts by the formulas of sentence-transformers: pools an encoder's hidden states, and applies layers.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "core/requests.h"
#include "engine/encoding.h"

namespace torch_t5 {

/// A layer of sentence-transformers' Dense on the engine's device, in float32.
class Dense {
 public:
  /// Copies the weights. They must have passed `check`.
  Dense(const DenseWeights& weights, const at::Device& device);

  /// Copies the weights: [outputs, inputs] and [outputs].
  Dense(const at::Tensor& weight, const at::Tensor& bias, DenseActivation activation, const at::Device& device);

  /// The columns of its input and output.
  std::int64_t inputs() const { return weight_.size(1); }

  /// [rows, inputs] to [rows, outputs].
  at::Tensor apply(const at::Tensor& input) const;

 private:
  at::Tensor weight_;  // [outputs, inputs]
  at::Tensor bias_;    // [outputs], or undefined
  DenseActivation activation_;
};

/// The layer's output for rows [rows, inputs]. `isBatchInvariant`: the bits of a row do not depend on the other rows.
/// Throws ERR_INVALID_ARGUMENT for rows of another width.
at::Tensor applyDense(const Dense& dense, const at::Tensor& rows, bool isBatchInvariant);

/// A layer after the pooling. Null: scales each row to length 1.
using EmbeddingLayer = std::shared_ptr<const Dense>;

/// The embeddings of an encoder output: pooled, then layer by layer; float32 [B, columns] on the CPU. Throws
/// ERR_INVALID_ARGUMENT for a layer with other inputs than the columns before it.
at::Tensor embed(const SharedEngine& engine, const EncoderOutput& encoderOutput, const Pooling& pooling,
                 const std::vector<EmbeddingLayer>& layers);

/// Encodes a source if needed, and embeds. Throws what the engine and `embed` throw.
Task<at::Tensor> runEmbed(SharedEngine& engine, std::shared_ptr<const EncoderSource> source, Pooling pooling,
                          std::vector<EmbeddingLayer> layers);

/// The states [B, D] at one position of each row. `states`: [B, S, D]; `positions`: int64 [B].
at::Tensor statesAt(const at::Tensor& states, const at::Tensor& positions);

}  // namespace torch_t5
