// A T5 as the fused engine computes it: packed matrices, norms and biases.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/requests.h"
#include "fused/attention.h"
#include "fused/embedding.h"
#include "fused/packed_matrix.h"
#include "fused/threading/parallel.h"
#include "weights/position_bias.h"
#include "weights/weights.h"

namespace torch_t5 {

/// The bias of one layer, or of a stack whose layers share one. It grows with the longest sequence that was seen.
class BiasTable {
 public:
  BiasTable(at::Tensor weight, const Buckets& buckets) : weight_(std::move(weight)), buckets_(buckets) {}

  /// For distances up to `reach` either way. Valid until a longer reach is asked for.
  Bias reaching(std::int64_t reach);

 private:
  at::Tensor weight_;
  Buckets buckets_;
  std::int64_t reach_ = -1;
  at::Tensor table_;
};

struct PackedLayer {
  at::Tensor selfNorm;
  PackedMatrix queryKeyValue;
  PackedMatrix selfOutput;
  std::shared_ptr<BiasTable> bias;  // shared by the layers that share it

  at::Tensor feedForwardNorm;
  PackedMatrix feedForwardInput;  // with a gate: its panels hold both
  PackedMatrix feedForwardOutput;
};

struct PackedCross {
  at::Tensor norm;
  PackedMatrix query;
  PackedMatrix keyValue;
  PackedMatrix output;
};

struct PackedStack {
  std::vector<PackedLayer> layers;
  std::vector<PackedCross> cross;  // the decoder's, one a layer
  at::Tensor norm;
};

struct PackedModel {
  Architecture architecture;
  kernels::Format format;
  Heads heads;
  Embedding embedding;
  PackedStack encoder;
  PackedStack decoder;
  std::shared_ptr<const PackedMatrix> head;

  float epsilon() const { return static_cast<float>(architecture.layerNormEpsilon); }
};

/// Consumes the weights: each is freed once it is packed, as far as nobody else holds it.
PackedModel packModel(Weights weights, const Architecture& architecture, kernels::Format format,
                      const Parallel& parallel);

}  // namespace torch_t5
