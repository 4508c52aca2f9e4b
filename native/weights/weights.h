// The weights of a T5 by their roles, read from an exported archive or from safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/requests.h"
#include "weights/weight_matrix.h"

namespace torch_t5 {

// All tensors are float32, contiguous and on the CPU. Matrices are [outputs, inputs], as in torch.nn.Linear.

struct AttentionWeights {
  at::Tensor norm;  // [dModel]
  WeightMatrix query;
  WeightMatrix key;
  WeightMatrix value;
  WeightMatrix output;
  at::Tensor bias;  // [buckets, heads]; undefined if the layer uses another layer's
};

struct FeedForwardWeights {
  at::Tensor norm;      // [dModel]
  WeightMatrix gate;    // `wi`, or `wi_0` of a gated layer: the activation applies to its product
  WeightMatrix up;      // `wi_1`; undefined if the layer is not gated
  WeightMatrix output;  // `wo`
};

struct LayerWeights {
  AttentionWeights self;
  AttentionWeights cross;  // decoder layers only
  FeedForwardWeights feedForward;
};

struct StackWeights {
  std::vector<LayerWeights> layers;
  at::Tensor norm;  // [dModel]
};

struct LinearWeights {
  at::Tensor weight;  // [outputs, inputs]
  at::Tensor bias;    // [outputs]
};

struct Weights {
  WeightMatrix embedding;  // [vocabSize, dModel]
  WeightMatrix lmHead;     // [vocabSize, dModel]; the same as the embedding if they are tied; undefined: no such head
  StackWeights encoder;
  StackWeights decoder;  // empty without a decoder

  std::vector<LinearWeights>
      classifier;  // the head of a classifier, with tanh between its layers; empty: no classifier

  bool hasDecoder() const { return !decoder.layers.empty(); }
};

// Matrices stay in the files and are read when they are needed, everything else is read at once. A file that can't be
// read, or ends early, is ERR_MODEL_CORRUPT, then or now.

/// The weights of the archive at `path`. Throws what `readArchivedWeights` throws, and ERR_MODEL_CORRUPT if the weights
/// and their shapes are not exactly those of the architecture. Of a model that is loaded as an encoder, the decoder's
/// weights are ignored.
Weights readWeights(const std::string& path, const Architecture& architecture, ModelKind kind);

/// The weights in safetensors files, by Hugging Face's names without the prefix "transformer.". `shared.weight` is
/// needed, and in its place `encoder.embed_tokens.weight` for an encoder without a decoder. The two embeddings of a
/// model with a decoder, and lm_head, are tied to `shared.weight` if they are absent or equal to it, as Hugging Face
/// ties them. Throws ERR_MODEL_CORRUPT if a file isn't as described, if the weights and their shapes are not exactly
/// those of the architecture, and for an encoder or a decoder with its own embedding.
Weights readWeights(const StoredWeights& stored, const Architecture& architecture, ModelKind kind);

}  // namespace torch_t5
