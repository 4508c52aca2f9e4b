#include "aten/aten_engine.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/index_select.h>

#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "aten/cache.h"
#include "aten/decoder_graphs.h"
#include "aten/decoder_step.h"
#include "aten/encoder_graphs.h"
#include "aten/layers.h"
#include "core/cancellation.h"
#include "engine/tensors.h"
#include "weights/classification_head.h"

namespace torch_t5 {
namespace {

Buckets bucketsOf(const Architecture& architecture, bool isBidirectional) {
  return {architecture.relativeAttentionNumBuckets, architecture.relativeAttentionMaxDistance, isBidirectional};
}

/// The key and value matrices of cross-attention in all layers; undefined without a decoder.
at::Tensor packCrossInput(const StackWeights& decoder, const Placement& placement) {
  if (decoder.layers.empty()) return {};
  std::vector<WeightMatrix> matrices;
  for (const LayerWeights& layer : decoder.layers) {
    matrices.push_back(layer.cross.key);
    matrices.push_back(layer.cross.value);
  }
  return placement.pack(matrices);
}

class AtenEngine final : public Engine {
 public:
  AtenEngine(const Weights& weights, const Architecture& architecture, const Placement& placement, CudaRuntime* runtime)
      : architecture_(architecture),
        placement_(placement),
        layers_(architecture, placement.type),
        embedding_(placement.pack({weights.embedding})),
        lmHead_(placeHead(weights)),
        encoder_(placeStack(weights.encoder, bucketsOf(architecture, /*isBidirectional=*/true), placement)),
        decoder_(weights.hasDecoder()
                     ? placeStack(weights.decoder, bucketsOf(architecture, /*isBidirectional=*/false), placement)
                     : AtenStack()),
        crossInput_(packCrossInput(weights.decoder, placement)),
        classificationHead_(classificationHeadOf(weights, placement.device)) {
    if (runtime != nullptr) useGraphs(*runtime);
  }

  at::Device device() const override { return placement_.device; }

  std::int64_t vocabSize() const override { return architecture_.vocabSize; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& selection) override {
    expectDecoder(!decoder_.layers.empty());
    refuseLayers(selection);
    const at::Tensor states = encode(inputIds, attentionMask);
    AtenCrossCache cross = makeCross(states, attentionMask);
    DecoderOutput decoded;
    if (fitsStep(decoderInputIds)) {
      cross.keysAndValues = cross.keysAndValues.contiguous();
      decoded = decodeWithCache(decoderInputIds, makeSelf(decoderInputIds), 0, cross, selection);
    } else {
      decoded.decoderLastHiddenState =
          fitsGraph(decoderInputIds, cross)
              ? decoderGraphs_->run(decoderInputIds, cross).states
              : runDecoder(decoderInputIds, cross, masksOf(0, decoderInputIds.size(1)), {});
      decoded.logits = logits(decoded.decoderLastHiddenState, selection);
    }
    return {decoded.logits, states, decoded.decoderLastHiddenState};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    const std::int64_t length = inputIds.size(1);
    if (encoderGraphs_ && encoderGraphs_->accepts(inputIds.size(0), length)) {
      CancellationScope::check();
      return encoderGraphs_->run(inputIds, attentionMask);
    }
    return runEncoder(inputIds, paddingMask(attentionMask),
                      [&](std::size_t layer) { return encoder_.layers[layer].bias->of(0, length, length); });
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& selection) override {
    expectDecoder(!decoder_.layers.empty());
    refuseLayers(selection);
    return decodeWithCache(decoderInputIds, makeSelf(decoderInputIds), 0, makeCross(source), selection);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& selection) override {
    refuseLayers(selection);
    const auto& past = dynamic_cast<const AtenCache&>(*cache);
    return decodeWithCache(decoderInputIds, AtenSelfCache::extend(past.self(), past.length()), past.length(),
                           past.cross(), selection);
  }

  std::optional<at::Tensor> decodeGreedily(const GreedyRequest& request) override {
    if (!fitsStep(request.ids.unsqueeze(1))) return std::nullopt;
    const auto& past = dynamic_cast<const AtenCache&>(*request.cache);
    return step_->runGreedy(request, past.self(), past.length(), past.cross());
  }

  at::Tensor classify(const at::Tensor& inputIds, const at::Tensor& attentionMask, const Sentence& sentence) override {
    return classifyStates(*this, classificationHead_, inputIds, attentionMask, sentence);
  }

 private:
  /// Undefined without one.
  at::Tensor placeHead(const Weights& weights) const {
    if (!weights.lmHead.defined()) return {};
    return weights.lmHead.isSame(weights.embedding) ? embedding_ : placement_.pack({weights.lmHead});
  }

  void useGraphs(CudaRuntime& runtime) {
    encoderGraphs_.emplace(runtime, placement_.device, architecture_, [this](std::int64_t length) {
      return [this, views = biasViews(encoder_, length)](const at::Tensor& ids, const at::Tensor& padding) {
        return runEncoder(ids, padding, [&](std::size_t layer) { return RelativePositionBias::inOrder(views[layer]); });
      };
    });
    if (decoder_.layers.empty()) return;
    if (lmHead_.defined() && DecoderStep::supports(architecture_)) step_ = makeStep(runtime);
    decoderGraphs_.emplace(runtime, placement_.device, placement_.type, architecture_, [this](std::int64_t length) {
      return [this, views = biasViews(decoder_, length)](const at::Tensor& ids, AtenCrossCache cross,
                                                         const at::Tensor& self) {
        cross.mask = scoreMask({}, cross.padding, placement_.type);
        const auto keepAll = [&](std::size_t layer, const at::Tensor& keysAndValues) {
          self[static_cast<std::int64_t>(layer)].copy_(keysAndValues);
          return keysAndValues;
        };
        const auto maskOf = [&](std::size_t layer) {
          return scoreMask(RelativePositionBias::inOrder(views[layer]), {}, placement_.type);
        };
        return runDecoder(ids, cross, maskOf, keepAll);
      };
    });
  }

  /// Null without a compiler for the step's kernels, or with one that cannot compile them: libtorch's operators compute
  /// the same.
  std::unique_ptr<DecoderStep> makeStep(CudaRuntime& runtime) const {
    try {
      return std::make_unique<DecoderStep>(runtime, architecture_, StepWeights{embedding_, lmHead_, decoder_},
                                           placement_);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kDeviceUnavailable && error.code() != ErrorCode::kInternal) throw;
      return nullptr;
    }
  }

  /// Whether the decoder reads these ids [R, T] in one step of its graph.
  bool fitsStep(const at::Tensor& ids) const {
    return step_ != nullptr && ids.size(1) == 1 && ids.size(0) <= DecoderStep::kMaxRows;
  }

  /// Whether the decoder reads the prefix `ids` [R, T] in one of its graphs.
  bool fitsGraph(const at::Tensor& ids, const AtenCrossCache& cross) const {
    return decoderGraphs_ && decoderGraphs_->accepts(ids.size(0), ids.size(1), cross);
  }

  /// The position biases of a stack's layers for `length` positions, as views. Undefined for a layer without one.
  static std::vector<at::Tensor> biasViews(AtenStack& stack, std::int64_t length) {
    std::vector<at::Tensor> views;
    for (AtenLayer& layer : stack.layers)
      views.push_back(layer.bias ? layer.bias->reversed(0, length, length) : at::Tensor());
    return views;
  }

  /// What a layer with a position bias adds to its scores. Called for these layers alone.
  using OfLayer = std::function<at::Tensor(std::size_t layer)>;

  at::Tensor runEncoder(const at::Tensor& ids, const at::Tensor& padding, const OfLayer& biasOf) const {
    at::Tensor hidden = embed(ids);
    at::Tensor mask;
    for (std::size_t index = 0; index < encoder_.layers.size(); ++index) {
      CancellationScope::check();
      const AtenLayer& layer = encoder_.layers[index];
      updateMask(mask, layer, [&] { return scoreMask(biasOf(index), padding, placement_.type); });
      layers_.selfAttention(hidden, layer, mask, {});
      layers_.feedForward(hidden, layer);
    }
    return layers_.normalize(hidden, encoder_.norm);
  }

  /// Makes a layer's mask. A layer without a bias uses the previous layer's.
  template <class MakeMask>
  static void updateMask(at::Tensor& mask, const AtenLayer& layer, const MakeMask& makeMask) {
    if (!layer.bias) return;
    mask.reset();  // frees it before the next one, which may be large, is made
    mask = makeMask();
  }

  /// An empty cache for the prefix `ids` [R, T].
  std::shared_ptr<AtenSelfCache> makeSelf(const at::Tensor& ids) const {
    // Without spare room: the prefix of a score request is never continued.
    const std::vector<std::int64_t> shape{architecture_.numDecoderLayers, 2,           ids.size(0),
                                          architecture_.numHeads,         ids.size(1), architecture_.dKv};
    return std::make_shared<AtenSelfCache>(shape, embedding_.options());
  }

  DecoderOutput decodeWithCache(const at::Tensor& ids, const std::shared_ptr<AtenSelfCache>& self,
                                std::int64_t position, const AtenCrossCache& cross, const LogitsSelection& selection) {
    CancellationScope::check();
    const std::int64_t length = position + ids.size(1);
    DecoderOutput output;
    if (fitsStep(ids)) {
      DecoderStep::Output step = step_->run(ids, *self, position, cross, selection.isAll());
      output.decoderLastHiddenState = std::move(step.states);
      output.logits = std::move(step.logits);
    } else if (position == 0 && fitsGraph(ids, cross)) {
      const DecoderGraphs::Output prefix = decoderGraphs_->run(ids, cross);
      self->writePrefix(prefix.keysAndValues);
      output.decoderLastHiddenState = prefix.states;
    } else {
      output.decoderLastHiddenState =
          runDecoder(ids, cross, masksOf(position, ids.size(1)), [&](std::size_t layer, const at::Tensor& added) {
            return self->write(static_cast<std::int64_t>(layer), position, added);
          });
    }
    if (!output.logits.defined()) output.logits = logits(output.decoderLastHiddenState, selection);
    output.cache = std::make_shared<const AtenCache>(self, length, cross);
    self->claim(length);  // last: if anything above throws, the written positions stay unclaimed
    return output;
  }

  /// The masks of the decoder's layers for `queries` ids from `position` on, in the form that `attend` takes.
  OfLayer masksOf(std::int64_t position, std::int64_t queries) {
    return [this, position, queries](std::size_t layer) {
      return scoreMask(decoder_.layers[layer].bias->of(position, queries, position + queries), {}, placement_.type);
    };
  }

  /// Takes a layer's new keys and values [2, rows, heads, positions, dKv], and returns those to attend to.
  using UpdateCache = std::function<at::Tensor(std::size_t layer, const at::Tensor& keysAndValues)>;

  /// The decoder's states [R, T, D] for ids. `maskOf`: called for the layers with a bias. `updateCache`: empty without
  /// a cache.
  at::Tensor runDecoder(const at::Tensor& ids, const AtenCrossCache& cross, const OfLayer& maskOf,
                        const UpdateCache& updateCache) const {
    at::Tensor hidden = embed(ids);
    at::Tensor mask;
    for (std::size_t index = 0; index < decoder_.layers.size(); ++index) {
      CancellationScope::check();
      const AtenLayer& layer = decoder_.layers[index];
      updateMask(mask, layer, [&] { return maskOf(index); });
      AtenLayers::CacheUpdate update;
      if (updateCache) update = [&](const at::Tensor& added) { return updateCache(index, added); };
      layers_.selfAttention(hidden, layer, mask, update);
      layers_.crossAttention(hidden, layer, cross.keysAndValues[static_cast<std::int64_t>(index)], cross.mask);
      layers_.feedForward(hidden, layer);
    }
    return layers_.normalize(hidden, decoder_.norm);
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
    AtenCrossCache cross = makeCross(states, attentionMask);
    cross.keysAndValues = cross.keysAndValues.contiguous();  // because every step reads it
    cross.groupSize = groupSize;
    return cross;
  }

  AtenCrossCache makeCross(const at::Tensor& states, const at::Tensor& attentionMask) const {
    // Where steps are short, waiting for the device would take longer than adding a mask that keeps everything.
    const at::Tensor padding = step_ ? paddingMaskOnDevice(attentionMask) : paddingMask(attentionMask);
    return {layers_.crossKeysAndValues(states, crossInput_), padding, scoreMask({}, padding, placement_.type)};
  }

  at::Tensor embed(const at::Tensor& ids) const { return at::embedding(embedding_, ids).to(at::kFloat); }

  at::Tensor logits(at::Tensor states, const LogitsSelection& selection) const {
    if (selection.isEmpty) return {};
    expectLmHead(lmHead_.defined());
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
  std::optional<ClassificationHead> classificationHead_;
  std::unique_ptr<DecoderStep> step_;  // null where steps are libtorch's operators
  std::optional<EncoderGraphs> encoderGraphs_;
  std::optional<DecoderGraphs> decoderGraphs_;
};

}  // namespace

std::unique_ptr<Engine> makeAtenEngine(Weights weights, const Architecture& architecture, Precision precision,
                                       const at::Device& device, CudaRuntime* runtime) {
  const Placement placement{device, precision == Precision::kBfloat16 ? at::kBFloat16 : at::kFloat};
  return std::make_unique<AtenEngine>(weights, architecture, placement, runtime);
}

}  // namespace torch_t5
