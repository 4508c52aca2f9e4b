#include "fused/packed_model.h"

#include <algorithm>
#include <utility>

namespace torch_t5 {
namespace {

using kernels::Format;

/// Packs weights whose inputs are the same.
PackedMatrix pack(const std::vector<at::Tensor>& weights, Format format, const Parallel& parallel) {
  return PackedMatrix(rowsOf(weights), weights.front().size(1), format, parallel);
}

PackedMatrix packFeedForwardInput(const FeedForwardWeights& weights, Format format, const Parallel& parallel) {
  if (!weights.up.defined()) return pack({weights.gate}, format, parallel);
  return PackedMatrix(gatedRowsOf(weights.gate, weights.up, parallel.kernels), weights.gate.size(1), format, parallel);
}

PackedLayer packLayer(const LayerWeights& weights, std::shared_ptr<BiasTable> bias, Format format,
                      const Parallel& parallel) {
  const AttentionWeights& self = weights.self;
  return {self.norm.clone(),
          pack({self.query, self.key, self.value}, format, parallel),
          pack({self.output}, format, parallel),
          std::move(bias),
          weights.feedForward.norm.clone(),
          packFeedForwardInput(weights.feedForward, format, parallel),
          pack({weights.feedForward.output}, format, parallel)};
}

PackedCross packCross(const AttentionWeights& weights, Format format, const Parallel& parallel) {
  return {weights.norm.clone(), pack({weights.query}, format, parallel),
          pack({weights.key, weights.value}, format, parallel), pack({weights.output}, format, parallel)};
}

PackedStack packStack(const StackWeights& weights, const Buckets& buckets, Format format, const Parallel& parallel) {
  PackedStack stack;
  std::shared_ptr<BiasTable> bias;
  for (const LayerWeights& layer : weights.layers) {
    // A layer without a bias of its own uses that of the layers before it.
    if (layer.self.bias.defined()) bias = std::make_shared<BiasTable>(layer.self.bias.clone(), buckets);
    stack.layers.push_back(packLayer(layer, bias, format, parallel));
    if (layer.cross.query.defined()) stack.cross.push_back(packCross(layer.cross, format, parallel));
  }
  stack.norm = weights.norm.clone();
  return stack;
}

}  // namespace

Bias BiasTable::reaching(std::int64_t reach) {
  if (reach > reach_) {
    constexpr std::int64_t kLeastReach = 127;
    reach_ = std::max({reach, kLeastReach, 2 * reach_});
    table_ = biasByDistance(weight_, buckets_, reach_);
  }
  return {table_.const_data_ptr<float>() + reach_, table_.size(1)};
}

namespace {

/// Two bfloat16 share a word: a head of an odd size would begin within one.
Format headFormat(Format format, const Architecture& architecture) {
  return format == Format::kFloat32 || architecture.dKv % 2 != 0 ? Format::kFloat32 : Format::kBfloat16;
}

}  // namespace

PackedModel packModel(Weights weights, const Architecture& architecture, Format format, const Parallel& parallel) {
  const Buckets buckets{architecture.numBuckets, architecture.maxDistance, /*isBidirectional=*/false};
  Buckets encoderBuckets = buckets;
  encoderBuckets.isBidirectional = true;
  const bool isTied = weights.lmHead.is_same(weights.embedding);
  auto head = std::make_shared<const PackedMatrix>(pack({weights.lmHead}, format, parallel));
  return {architecture,
          format,
          Heads(architecture.numHeads, architecture.dKv, headFormat(format, architecture), parallel.kernels),
          isTied ? Embedding(head) : Embedding(weights.embedding, format),
          packStack(weights.encoder, encoderBuckets, format, parallel),
          packStack(weights.decoder, buckets, format, parallel),
          head};
}

}  // namespace torch_t5
