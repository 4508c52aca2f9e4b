#include "fused/packed_model.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace torch_t5 {
namespace {

using kernels::DataType;

/// Packs weights that are applied to the same input.
PackedMatrix pack(std::initializer_list<const WeightMatrix*> weights, DataType dataType, const Executor& executor) {
  return PackedMatrix(weightRows(weights), dataType, executor);
}

PackedMatrix packFeedForwardInput(const FeedForwardWeights& weights, DataType dataType, const Executor& executor) {
  if (!weights.up.defined()) return pack({&weights.gate}, dataType, executor);
  return PackedMatrix(gatedWeightRows(weights.gate, weights.up, executor.kernels), dataType, executor);
}

PackedLayer packLayer(const LayerWeights& weights, std::shared_ptr<PositionBiasTable> bias, DataType dataType,
                      const Executor& executor) {
  const AttentionWeights& self = weights.self;
  return {self.norm.clone(),
          pack({&self.query, &self.key, &self.value}, dataType, executor),
          pack({&self.output}, dataType, executor),
          std::move(bias),
          weights.feedForward.norm.clone(),
          packFeedForwardInput(weights.feedForward, dataType, executor),
          pack({&weights.feedForward.output}, dataType, executor)};
}

PackedCrossAttention packCross(const AttentionWeights& weights, DataType dataType, const Executor& executor) {
  return {weights.norm.clone(), pack({&weights.query}, dataType, executor),
          pack({&weights.key, &weights.value}, dataType, executor), pack({&weights.output}, dataType, executor)};
}

PackedStack packStack(const StackWeights& weights, const Buckets& buckets, DataType dataType,
                      const Executor& executor) {
  PackedStack stack;
  std::shared_ptr<PositionBiasTable> bias;
  for (const LayerWeights& layer : weights.layers) {
    // A layer without its own bias uses the bias of the layer before it.
    if (layer.self.bias.defined()) bias = std::make_shared<PositionBiasTable>(layer.self.bias.clone(), buckets);
    stack.layers.push_back(packLayer(layer, bias, dataType, executor));
    if (layer.cross.query.defined()) stack.cross.push_back(packCross(layer.cross, dataType, executor));
  }
  stack.norm = weights.norm.clone();
  return stack;
}

/// Keys and values of an odd head size stay float32: with two bfloat16 in a word, a head would start in the middle of
/// one.
DataType headDataType(DataType dataType, const Architecture& architecture) {
  return dataType == DataType::kFloat32 || architecture.dKv % 2 != 0 ? DataType::kFloat32 : DataType::kBfloat16;
}

}  // namespace

PositionBias PositionBiasTable::upTo(std::int64_t reach) {
  if (reach > reach_) {
    constexpr std::int64_t kMinReach = 127;
    const std::int64_t longer = std::max({reach, kMinReach, 2 * reach_});
    table_ = biasByDistance(weight_, buckets_, longer);
    reach_ = longer;  // after the table, which there may be no memory for
  }
  return {table_.const_data_ptr<float>() + reach_, table_.size(1)};
}

PackedModel packModel(Weights weights, const Architecture& architecture, DataType dataType, const Executor& executor) {
  const Buckets buckets{architecture.relativeAttentionNumBuckets, architecture.relativeAttentionMaxDistance,
                        /*isBidirectional=*/false};
  Buckets encoderBuckets = buckets;
  encoderBuckets.isBidirectional = true;
  const bool isTied = weights.lmHead.isSame(weights.embedding);
  std::shared_ptr<const PackedMatrix> lmHead;
  if (weights.lmHead.defined())
    lmHead = std::make_shared<const PackedMatrix>(pack({&weights.lmHead}, dataType, executor));
  return {architecture,
          dataType,
          HeadLayout(architecture.numHeads, architecture.dKv, headDataType(dataType, architecture), executor.kernels),
          isTied ? Embedding(lmHead) : Embedding(weights.embedding, dataType, executor),
          packStack(weights.encoder, encoderBuckets, dataType, executor),
          weights.hasDecoder() ? packStack(weights.decoder, buckets, dataType, executor) : PackedStack(),
          lmHead};
}

}  // namespace torch_t5
