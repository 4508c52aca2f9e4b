#include "aten/aten_engine.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/index_select.h>

#include <cmath>
#include <utility>

#include "aten/cache.h"
#include "aten/layers.h"
#include "core/cancellation.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

Buckets bucketsOf(const Architecture& architecture, bool isBidirectional) {
  return {architecture.relativeAttentionNumBuckets, architecture.relativeAttentionMaxDistance, isBidirectional};
}

/// The key and value matrices of cross-attention in all layers.
at::Tensor packCrossInput(const StackWeights& decoder, const Placement& placement) {
  std::vector<at::Tensor> matrices;
  for (const LayerWeights& layer : decoder.layers) {
    matrices.push_back(layer.cross.key);
    matrices.push_back(layer.cross.value);
  }
  return placement.pack(matrices);
}

class AtenEngine final : public Engine {
 public:
  AtenEngine(const Weights& weights, const Architecture& architecture, const Placement& placement)
      : architecture_(architecture),
        placement_(placement),
        layers_(architecture, placement.type),
        embedding_(placement.pack({weights.embedding})),
        lmHead_(weights.lmHead.is_same(weights.embedding) ? embedding_ : placement.pack({weights.lmHead})),
        encoder_(placeStack(weights.encoder, bucketsOf(architecture, /*isBidirectional=*/true), placement)),
        decoder_(placeStack(weights.decoder, bucketsOf(architecture, /*isBidirectional=*/false), placement)),
        crossInput_(packCrossInput(weights.decoder, placement)) {}

  at::Device device() const override { return placement_.device; }

  std::int64_t vocabSize() const override { return architecture_.vocabSize; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& selection) override {
    const at::Tensor states = encode(inputIds, attentionMask);
    const AtenCrossCache cross{layers_.crossKeysAndValues(states, crossInput_), crossMask(attentionMask)};
    const at::Tensor decoded = decode(decoderInputIds, 0, cross, nullptr);
    return {logits(decoded, selection), states, decoded};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    const at::Tensor padding = paddingMask(attentionMask);
    const std::int64_t length = inputIds.size(1);
    at::Tensor hidden = embed(inputIds);
    at::Tensor mask;
    for (AtenLayer& layer : encoder_.layers) {
      CancellationScope::check();
      updateMask(mask, layer, padding, 0, length);
      layers_.selfAttention(hidden, layer, mask, {});
      layers_.feedForward(hidden, layer);
    }
    return layers_.normalize(hidden, encoder_.norm);
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& selection) override {
    // Without spare room: the prefix of a score request is never continued.
    const std::vector<std::int64_t> shape{architecture_.numDecoderLayers, 2,
                                          decoderInputIds.size(0),        architecture_.numHeads,
                                          decoderInputIds.size(1),        architecture_.dKv};
    const auto self = std::make_shared<AtenSelfCache>(shape, embedding_.options());
    return decodeWithCache(decoderInputIds, self, 0, makeCross(source), selection);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& selection) override {
    const auto& past = dynamic_cast<const AtenCache&>(*cache);
    return decodeWithCache(decoderInputIds, AtenSelfCache::extend(past.self(), past.length()), past.length(),
                           past.cross(), selection);
  }

 private:
  DecoderOutput decodeWithCache(const at::Tensor& ids, const std::shared_ptr<AtenSelfCache>& self,
                                std::int64_t position, const AtenCrossCache& cross, const LogitsSelection& selection) {
    const std::int64_t length = position + ids.size(1);
    const at::Tensor states = decode(ids, position, cross, self.get());
    const at::Tensor selectedLogits = logits(states, selection);
    auto cache = std::make_shared<const AtenCache>(self, length, cross);
    self->claim(length);  // last: if anything above throws, the written positions stay unclaimed
    return {selectedLogits, states, std::move(cache)};
  }

  /// The decoder's states [R, T, D] for ids that start at `position`. `self`: null without a cache.
  at::Tensor decode(const at::Tensor& ids, std::int64_t position, const AtenCrossCache& cross, AtenSelfCache* self) {
    at::Tensor hidden = embed(ids);
    at::Tensor mask;
    std::int64_t index = 0;
    for (AtenLayer& layer : decoder_.layers) {
      CancellationScope::check();
      AtenLayers::CacheUpdate updateCache;
      if (self != nullptr) {
        updateCache = [&](const at::Tensor& keysAndValues) { return self->write(index, position, keysAndValues); };
      }
      updateMask(mask, layer, {}, position, ids.size(1));
      layers_.selfAttention(hidden, layer, mask, updateCache);
      layers_.crossAttention(hidden, layer, cross.keysAndValues[index], cross.mask);
      layers_.feedForward(hidden, layer);
      ++index;
    }
    return layers_.normalize(hidden, decoder_.norm);
  }

  /// Makes the layer's mask. A layer without a bias uses the previous layer's mask.
  void updateMask(at::Tensor& mask, AtenLayer& layer, const at::Tensor& padding, std::int64_t first,
                  std::int64_t queries) {
    if (!layer.bias) return;
    mask.reset();  // frees it before the next one, which may be large, is made
    mask = scoreMask(layer.bias->of(first, queries, first + queries), padding, placement_.type);
  }

  at::Tensor crossMask(const at::Tensor& attentionMask) const {
    return scoreMask({}, paddingMask(attentionMask), placement_.type);
  }

  AtenCrossCache makeCross(const DecoderSource& source) const {
    at::Tensor states = source.encoderOutput->lastHiddenState;
    at::Tensor attentionMask = source.encoderOutput->attentionMask;
    std::int64_t groupSize = 1;
    if (source.rows.defined()) {
      const RowGroups groups = groupRows(toVector(source.rows));
      const at::Tensor rows = groups.sourceRowsOn(placement_.device);
      states = at::index_select(states, 0, rows);
      attentionMask = at::index_select(attentionMask, 0, rows);
      groupSize = groups.size;
    }
    // Contiguous, because every step reads it.
    return {layers_.crossKeysAndValues(states, crossInput_).contiguous(), crossMask(attentionMask), groupSize};
  }

  at::Tensor embed(const at::Tensor& ids) const { return at::embedding(embedding_, ids).to(at::kFloat); }

  at::Tensor logits(at::Tensor states, const LogitsSelection& selection) const {
    if (selection.isEmpty) return {};
    if (selection.positions.defined()) states = at::index_select(states, 1, selection.positions);
    if (architecture_.scalesDecoderOutputs) states = states.mul(std::pow(architecture_.dModel, -0.5));
    const at::Tensor lmHead = selection.tokens.defined() ? at::index_select(lmHead_, 0, selection.tokens) : lmHead_;
    const at::Tensor rows = states.to(placement_.type).flatten(0, 1);
    return multiplyToFloat32(rows, lmHead.t()).view({states.size(0), states.size(1), lmHead.size(0)});
  }

  Architecture architecture_;
  Placement placement_;
  AtenLayers layers_;
  at::Tensor embedding_;
  at::Tensor lmHead_;
  AtenStack encoder_;
  AtenStack decoder_;
  at::Tensor crossInput_;
};

}  // namespace

std::unique_ptr<Engine> makeAtenEngine(Weights weights, const Architecture& architecture, Precision precision,
                                       const at::Device& device) {
  const Placement placement{device, precision == Precision::kBfloat16 ? at::kBFloat16 : at::kFloat};
  return std::make_unique<AtenEngine>(weights, architecture, placement);
}

}  // namespace torch_t5
