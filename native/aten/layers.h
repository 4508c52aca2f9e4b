// T5's layers with ATen operators, on hidden states in float32.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "aten/attention.h"
#include "core/requests.h"
#include "weights/weights.h"

namespace torch_t5 {

/// The weights of one layer on the device. Weights with the same input are concatenated into one matrix. Norms are
/// float32; matrices have the type of the computation.
struct AtenLayer {
  at::Tensor selfNorm;
  at::Tensor selfInput;  // query, key, value
  at::Tensor selfOutput;
  std::optional<RelativePositionBias> bias;  // none: the previous layer's
  at::Tensor crossNorm;                      // this and the next two: decoder layers only
  at::Tensor crossQuery;
  at::Tensor crossOutput;
  at::Tensor feedForwardNorm;
  at::Tensor feedForwardInput;  // gate, up
  at::Tensor feedForwardOutput;
};

struct AtenStack {
  std::vector<AtenLayer> layers;
  at::Tensor norm;
};

/// The device and the type that weights are converted to.
struct Placement {
  at::Device device;
  at::ScalarType type;

  /// The matrices, concatenated by rows.
  at::Tensor pack(const std::vector<WeightMatrix>& matrices) const;
};

AtenStack placeStack(const StackWeights& weights, const Buckets& buckets, const Placement& placement);

/// The computations of a model's layers. `hidden`: float32 [rows, positions, dModel]; each layer adds its output to it.
class AtenLayers {
 public:
  AtenLayers(const Architecture& architecture, at::ScalarType type);

  /// Stores a layer's new keys and values [2, rows, heads, positions, dKv]. Returns those to attend to.
  using CacheUpdate = std::function<at::Tensor(const at::Tensor& keysAndValues)>;

  /// `updateCache`: empty without a cache.
  void selfAttention(at::Tensor& hidden, const AtenLayer& layer, const at::Tensor& mask,
                     const CacheUpdate& updateCache) const;

  /// `keysAndValues`: [2, groups, heads, source positions, dKv]. `hidden` has a multiple of `groups` rows; each
  /// group of consecutive rows reads one row of keys and values.
  void crossAttention(at::Tensor& hidden, const AtenLayer& layer, const at::Tensor& keysAndValues,
                      const at::Tensor& mask) const;

  void feedForward(at::Tensor& hidden, const AtenLayer& layer) const;

  /// T5's layer norm, in float32.
  at::Tensor normalize(const at::Tensor& hidden, const at::Tensor& weight) const;

  /// The cross-attention keys and values of every decoder layer: [layers, 2, rows, heads, positions, dKv], a view.
  /// `states`: the encoder's; `weight`: key and value of each layer, concatenated by rows.
  at::Tensor crossKeysAndValues(const at::Tensor& states, const at::Tensor& weight) const;

 private:
  at::Tensor multiplyNormalized(const at::Tensor& hidden, const at::Tensor& norm, const at::Tensor& weight) const;
  at::Tensor activate(const at::Tensor& input) const;

  Architecture architecture_;
  at::ScalarType type_;
};

}  // namespace torch_t5
