#include "aten/aten_engine.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/index_select.h>

#include <cmath>
#include <utility>

#include "aten/cache.h"
#include "aten/layers.h"
#include "aten/shared_rows.h"
#include "core/cancellation.h"

namespace torch_t5 {
namespace {

Buckets bucketsOf(const Architecture& architecture, bool isBidirectional) {
  return {architecture.numBuckets, architecture.maxDistance, isBidirectional};
}

/// The key and value matrices of all layers' cross-attention.
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
        head_(weights.lmHead.is_same(weights.embedding) ? embedding_ : placement.pack({weights.lmHead})),
        encoder_(placeStack(weights.encoder, bucketsOf(architecture, /*isBidirectional=*/true), placement)),
        decoder_(placeStack(weights.decoder, bucketsOf(architecture, /*isBidirectional=*/false), placement)),
        crossInput_(packCrossInput(weights.decoder, placement)) {}

  at::Device device() const override { return placement_.device; }

  std::int64_t vocabSize() const override { return architecture_.vocabSize; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& wanted) override {
    const at::Tensor states = encode(inputIds, attentionMask);
    const CrossMemory cross{layers_.crossKeysAndValues(states, crossInput_), maskOf(attentionMask)};
    const at::Tensor decoded = decode(decoderInputIds, 0, cross, nullptr);
    return {logits(decoded, wanted), states, decoded};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    const at::Tensor padding = paddingOf(attentionMask);
    const std::int64_t length = inputIds.size(1);
    at::Tensor stream = embed(inputIds);
    at::Tensor mask;
    for (AtenLayer& layer : encoder_.layers) {
      CancellationScope::check();
      updateMask(mask, layer, padding, 0, length);
      layers_.selfAttention(stream, layer, mask, {});
      layers_.feedForward(stream, layer);
    }
    return layers_.normalize(stream, encoder_.norm);
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& wanted) override {
    // Without spare room: a prefix that is only scored never grows.
    const std::vector<std::int64_t> shape{architecture_.numDecoderLayers, 2,
                                          decoderInputIds.size(0),        architecture_.numHeads,
                                          decoderInputIds.size(1),        architecture_.dKv};
    const auto self = std::make_shared<SelfMemory>(shape, embedding_.options());
    return decodeOn(decoderInputIds, self, 0, crossOf(source), wanted);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& wanted) override {
    const auto& past = dynamic_cast<const AtenCache&>(*cache);
    return decodeOn(decoderInputIds, SelfMemory::extend(past.self(), past.length()), past.length(), past.cross(),
                    wanted);
  }

 private:
  DecoderOutput decodeOn(const at::Tensor& ids, const std::shared_ptr<SelfMemory>& self, std::int64_t position,
                         const CrossMemory& cross, const LogitsSelection& wanted) {
    const std::int64_t length = position + ids.size(1);
    const at::Tensor states = decode(ids, position, cross, self.get());
    const at::Tensor toLogitsSelection = logits(states, wanted);
    auto cache = std::make_shared<const AtenCache>(self, length, cross);
    self->claim(length);  // last: where something above throws, what was written is nobody's
    return {toLogitsSelection, states, std::move(cache)};
  }

  /// The decoder's states [R, T, D] of ids that begin at `position`. `self`: none to remember nothing.
  at::Tensor decode(const at::Tensor& ids, std::int64_t position, const CrossMemory& cross, SelfMemory* self) {
    at::Tensor stream = embed(ids);
    at::Tensor mask;
    std::int64_t index = 0;
    for (AtenLayer& layer : decoder_.layers) {
      CancellationScope::check();
      AtenLayers::Remember remember;
      if (self != nullptr) remember = [&](const at::Tensor& own) { return self->write(index, position, own); };
      updateMask(mask, layer, {}, position, ids.size(1));
      layers_.selfAttention(stream, layer, mask, remember);
      layers_.crossAttention(stream, layer, cross.keysAndValues[index], cross.mask);
      layers_.feedForward(stream, layer);
      ++index;
    }
    return layers_.normalize(stream, decoder_.norm);
  }

  /// A layer without a bias keeps the mask of the one before.
  void updateMask(at::Tensor& mask, AtenLayer& layer, const at::Tensor& padding, std::int64_t first,
                  std::int64_t queries) {
    if (!layer.bias) return;
    mask.reset();  // before the next one is made: it may be large
    mask = scoreMask(layer.bias->of(first, queries, first + queries), padding, placement_.type);
  }

  at::Tensor maskOf(const at::Tensor& attentionMask) const {
    return scoreMask({}, paddingOf(attentionMask), placement_.type);
  }

  CrossMemory crossOf(const DecoderSource& source) const {
    at::Tensor states = source.encoderOutput->lastHiddenState;
    at::Tensor attentionMask = source.encoderOutput->attentionMask;
    std::int64_t count = 1;
    if (source.rows.defined()) {
      const SharedRows shared = shareRows(toVector(source.rows));
      const at::Tensor rows = shared.on(placement_.device);
      states = at::index_select(states, 0, rows);
      attentionMask = at::index_select(attentionMask, 0, rows);
      count = shared.count;
    }
    // Every step reads it: so it is made contiguous once.
    return {layers_.crossKeysAndValues(states, crossInput_).contiguous(), maskOf(attentionMask), count};
  }

  at::Tensor embed(const at::Tensor& ids) const { return at::embedding(embedding_, ids).to(at::kFloat); }

  at::Tensor logits(at::Tensor states, const LogitsSelection& wanted) const {
    if (!wanted.any) return {};
    if (wanted.positions.defined()) states = at::index_select(states, 1, wanted.positions);
    if (architecture_.scalesDecoderOutputs) states = states.mul(std::pow(architecture_.dModel, -0.5));
    const at::Tensor head = wanted.tokens.defined() ? at::index_select(head_, 0, wanted.tokens) : head_;
    const at::Tensor rows = states.to(placement_.type).flatten(0, 1);
    return multiplyToFloat32(rows, head.t()).view({states.size(0), states.size(1), head.size(0)});
  }

  Architecture architecture_;
  Placement placement_;
  AtenLayers layers_;
  at::Tensor embedding_;
  at::Tensor head_;
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
