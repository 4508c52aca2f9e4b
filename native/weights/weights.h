// The weights of a T5 by their roles, read from an exported archive.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/requests.h"

namespace torch_t5 {

// All tensors are float32, contiguous and on the CPU. Matrices are [outputs, inputs], as in torch.nn.Linear.

struct AttentionWeights {
  at::Tensor norm;  // [dModel]
  at::Tensor query;
  at::Tensor key;
  at::Tensor value;
  at::Tensor output;
  at::Tensor bias;  // [buckets, heads]; undefined if the layer uses another layer's
};

struct FeedForwardWeights {
  at::Tensor norm;    // [dModel]
  at::Tensor gate;    // `wi`, or `wi_0` of a gated layer: the activation applies to its product
  at::Tensor up;      // `wi_1`; undefined if the layer is not gated
  at::Tensor output;  // `wo`
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
  at::Tensor embedding;  // [vocabSize, dModel]
  at::Tensor lmHead;  // [vocabSize, dModel]; the same tensor as the embedding if they are tied; undefined: no such head
  StackWeights encoder;
  StackWeights decoder;  // empty without a decoder

  std::vector<LinearWeights>
      classifier;  // the head of a classifier, with tanh between its layers; empty: no classifier

  bool hasDecoder() const { return !decoder.layers.empty(); }
};

/// The weights of the archive at `path`. They share its memory, which lives as long as any of them. Throws
/// what `readArchive` throws, and ERR_MODEL_CORRUPT if the weights and their shapes are not exactly those of the
/// architecture. Of a model that is loaded as an encoder, the decoder's weights are ignored.
Weights readWeights(const std::string& path, const Architecture& architecture, ModelKind kind);

}  // namespace torch_t5
