// A T5's weights by what they are for, out of an exported archive.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/requests.h"

namespace torch_t5 {

/// All float32, on the CPU, contiguous, as PyTorch has them: [outputs, inputs].
struct AttentionWeights {
  at::Tensor norm;  // [dModel]
  at::Tensor query;
  at::Tensor key;
  at::Tensor value;
  at::Tensor output;
  at::Tensor bias;  // [numBuckets, numHeads]; undefined where the layer has none of its own
};

struct FeedForwardWeights {
  at::Tensor norm;    // [dModel]
  at::Tensor gate;    // what the activation is applied to: `wi`, or `wi_0` of a gated one
  at::Tensor up;      // `wi_1`; undefined without a gate
  at::Tensor output;  // `wo`
};

struct LayerWeights {
  AttentionWeights self;
  AttentionWeights cross;  // of decoder layers
  FeedForwardWeights feedForward;
};

struct StackWeights {
  std::vector<LayerWeights> layers;
  at::Tensor norm;  // [dModel]
};

struct Weights {
  at::Tensor embedding;  // [vocabSize, dModel]
  at::Tensor lmHead;     // [vocabSize, dModel]; the embedding where they are tied
  StackWeights encoder;
  StackWeights decoder;
};

/// The weights of the archive at `path`. They share its memory, which lives as long as any of them. Throws
/// ERR_MODEL_NOT_FOUND, ERR_MODEL_UNTRUSTED, and ERR_MODEL_CORRUPT where a weight is missing, left over, or hasn't the
/// shape that the architecture says.
Weights readWeights(const std::string& path, const Architecture& architecture);

}  // namespace torch_t5
