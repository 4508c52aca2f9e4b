// A T5 in the form that the fused engine computes with: packed matrices, norms and position biases.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/requests.h"
#include "fused/attention.h"
#include "fused/embedding.h"
#include "fused/packed_matrix.h"
#include "fused/threading/worker_pool.h"
#include "weights/position_bias.h"
#include "weights/weights.h"

namespace torch_t5 {

/// The position bias of one layer, or of a stack whose layers share one. It grows with the sequences.
class PositionBiasTable {
 public:
  PositionBiasTable(at::Tensor weight, const Buckets& buckets) : weight_(std::move(weight)), buckets_(buckets) {}

  /// The bias for distances from -reach to reach. Valid until the next call with a longer reach.
  PositionBias upTo(std::int64_t reach);

 private:
  at::Tensor weight_;
  Buckets buckets_;
  std::int64_t reach_ = -1;
  at::Tensor table_;
};

// Norms are float32 [dModel].

struct PackedLayer {
  at::Tensor selfNorm;
  PackedMatrix queryKeyValue;
  PackedMatrix selfOutput;
  std::shared_ptr<PositionBiasTable> bias;  // one table for all layers that share it

  at::Tensor feedForwardNorm;
  PackedMatrix feedForwardInput;  // with a gate: each panel holds columns of both matrices
  PackedMatrix feedForwardOutput;
};

struct PackedCrossAttention {
  at::Tensor norm;
  PackedMatrix query;
  PackedMatrix keyValue;
  PackedMatrix output;
};

struct PackedStack {
  std::vector<PackedLayer> layers;
  std::vector<PackedCrossAttention> cross;  // of each decoder layer; empty in the encoder
  at::Tensor norm;
};

struct PackedModel {
  Architecture architecture;
  kernels::DataType dataType;
  HeadLayout heads;
  Embedding embedding;
  PackedStack encoder;
  PackedStack decoder;                         // empty without a decoder
  std::shared_ptr<const PackedMatrix> lmHead;  // null without one

  float epsilon() const { return static_cast<float>(architecture.layerNormEpsilon); }
};

/// Consumes the weights.
PackedModel packModel(Weights weights, const Architecture& architecture, kernels::DataType dataType,
                      const Executor& executor);

}  // namespace torch_t5
