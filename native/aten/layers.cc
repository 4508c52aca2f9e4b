#include "aten/layers.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>

namespace torch_t5 {
namespace {

AtenLayer placeLayer(const LayerWeights& weights, const Buckets& buckets, const Placement& placement) {
  const auto toDevice = [&](const at::Tensor& tensor) { return tensor.to(placement.device); };
  AtenLayer layer;
  layer.selfNorm = toDevice(weights.self.norm);
  layer.selfInput = placement.pack({weights.self.query, weights.self.key, weights.self.value});
  layer.selfOutput = placement.pack({weights.self.output});
  if (weights.self.bias.defined()) layer.bias.emplace(toDevice(weights.self.bias), buckets);
  if (weights.cross.query.defined()) {
    layer.crossNorm = toDevice(weights.cross.norm);
    layer.crossQuery = placement.pack({weights.cross.query});
    layer.crossOutput = placement.pack({weights.cross.output});
  }
  const FeedForwardWeights& feedForward = weights.feedForward;
  layer.feedForwardNorm = toDevice(feedForward.norm);
  layer.feedForwardInput = feedForward.up.defined() ? placement.pack({feedForward.gate, feedForward.up})
                                                    : placement.pack({feedForward.gate});
  layer.feedForwardOutput = placement.pack({feedForward.output});
  return layer;
}

/// From [rows, heads, positions, dKv] to [rows, positions, heads * dKv].
at::Tensor joinHeads(const at::Tensor& tensor) { return tensor.transpose(1, 2).flatten(2); }

}  // namespace

at::Tensor Placement::pack(const std::vector<WeightMatrix>& matrices) const {
  std::vector<at::Tensor> tensors;
  for (const WeightMatrix& matrix : matrices) tensors.push_back(matrix.toTensor());
  return (tensors.size() == 1 ? tensors.front() : at::cat(tensors)).to(device, type);
}

AtenStack placeStack(const StackWeights& weights, const Buckets& buckets, const Placement& placement) {
  AtenStack stack;
  for (const LayerWeights& layer : weights.layers) stack.layers.push_back(placeLayer(layer, buckets, placement));
  stack.norm = weights.norm.to(placement.device);
  return stack;
}

AtenLayers::AtenLayers(const Architecture& architecture, at::ScalarType type)
    : architecture_(architecture), type_(type) {}

at::Tensor AtenLayers::normalize(const at::Tensor& hidden, const at::Tensor& weight) const {
  return at::rms_norm(hidden, weight.sizes(), weight, architecture_.layerNormEpsilon);
}

at::Tensor AtenLayers::multiplyNormalized(const at::Tensor& hidden, const at::Tensor& norm,
                                          const at::Tensor& weight) const {
  return at::linear(normalize(hidden, norm).to(type_), weight);
}

void AtenLayers::selfAttention(at::Tensor& hidden, const AtenLayer& layer, const at::Tensor& mask,
                               const CacheUpdate& updateCache) const {
  const at::Tensor projected = multiplyNormalized(hidden, layer.selfNorm, layer.selfInput)
                                   .view({hidden.size(0), hidden.size(1), 3, architecture_.numHeads, architecture_.dKv})
                                   .permute({2, 0, 3, 1, 4});
  at::Tensor keysAndValues = projected.slice(0, 1);
  if (updateCache) keysAndValues = updateCache(keysAndValues);
  const at::Tensor output = attend(projected[0], keysAndValues[0], keysAndValues[1], mask);
  hidden.add_(at::linear(joinHeads(output), layer.selfOutput));
}

void AtenLayers::crossAttention(at::Tensor& hidden, const AtenLayer& layer, const at::Tensor& keysAndValues,
                                const at::Tensor& mask) const {
  const at::Tensor queries = multiplyNormalized(hidden, layer.crossNorm, layer.crossQuery)
                                 .view({keysAndValues.size(1), -1, architecture_.numHeads, architecture_.dKv})
                                 .transpose(1, 2);
  const at::Tensor output = attend(queries, keysAndValues[0], keysAndValues[1], mask);
  hidden.add_(at::linear(joinHeads(output), layer.crossOutput).view(hidden.sizes()));
}

void AtenLayers::feedForward(at::Tensor& hidden, const AtenLayer& layer) const {
  at::Tensor intermediate = multiplyNormalized(hidden, layer.feedForwardNorm, layer.feedForwardInput);
  if (architecture_.isGated) {
    const std::vector<at::Tensor> halves = intermediate.chunk(2, -1);
    intermediate = activate(halves[0]).mul_(halves[1]);
  } else {
    intermediate = activate(intermediate);
  }
  hidden.add_(at::linear(intermediate, layer.feedForwardOutput));
}

at::Tensor AtenLayers::activate(const at::Tensor& input) const {
  switch (architecture_.activation) {
    case Activation::kRelu:
      return at::relu(input);
    case Activation::kGeluNew:
      return at::gelu(input, "tanh");
    case Activation::kGelu:
      return at::gelu(input);
    case Activation::kSilu:
      return at::silu(input);
  }
  return input;
}

at::Tensor AtenLayers::crossKeysAndValues(const at::Tensor& states, const at::Tensor& weight) const {
  return at::linear(states.to(type_), weight)
      .view({states.size(0), states.size(1), -1, 2, architecture_.numHeads, architecture_.dKv})
      .permute({2, 3, 0, 4, 1, 5});
}

}  // namespace torch_t5
