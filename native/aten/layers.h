// T5's layers of plain ATen operators, on a residual stream in float32.
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

/// The weights of one layer on the device. Those that are applied to the same input lie in one matrix. Norms are
/// float32, matrices of the type that is computed in.
struct AtenLayer {
  at::Tensor selfNorm;
  at::Tensor selfInput;  // query, key, value
  at::Tensor selfOutput;
  std::optional<DistanceBias> bias;  // none: that of the layer before
  at::Tensor crossNorm;              // of decoder layers, as are the next two
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

/// Where and as what weights lie.
struct Placement {
  at::Device device;
  at::ScalarType type;

  /// The rows of all matrices, one matrix after the other.
  at::Tensor pack(const std::vector<at::Tensor>& matrices) const;
};

AtenStack placeStack(const StackWeights& weights, const Buckets& buckets, const Placement& placement);

/// What the layers of a model compute. `stream`: float32 [rows, positions, dModel]; each adds to it.
class AtenLayers {
 public:
  AtenLayers(const Architecture& architecture, at::ScalarType type);

  /// Takes a layer's new keys and values [2, rows, heads, positions, dKv], gives those to attend to.
  using Remember = std::function<at::Tensor(const at::Tensor& keysAndValues)>;

  void selfAttention(at::Tensor& stream, const AtenLayer& layer, const at::Tensor& mask,
                     const Remember& remember) const;

  /// `keysAndValues`: [2, source rows, heads, source positions, dKv]. As many rows of the stream read each source row,
  /// one after the other, as there are more of them.
  void crossAttention(at::Tensor& stream, const AtenLayer& layer, const at::Tensor& keysAndValues,
                      const at::Tensor& mask) const;

  void feedForward(at::Tensor& stream, const AtenLayer& layer) const;

  /// T5's layer norm, in float32.
  at::Tensor normalize(const at::Tensor& stream, const at::Tensor& weight) const;

  /// Keys and values of every decoder layer: [layers, 2, rows, heads, positions, dKv], a view. `states`: the encoder's;
  /// `weight`: that of all layers, key and value by turns.
  at::Tensor crossKeysAndValues(const at::Tensor& states, const at::Tensor& weight) const;

 private:
  at::Tensor multiplyNormalized(const at::Tensor& stream, const at::Tensor& norm, const at::Tensor& weight) const;
  at::Tensor activate(const at::Tensor& input) const;

  Architecture architecture_;
  at::ScalarType type_;
};

}  // namespace torch_t5
