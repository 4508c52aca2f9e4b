#include "aten/aten_engine.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "aten/cache.h"
#include "aten/decoder_graphs.h"
#include "aten/decoder_step.h"
#include "aten/encoder_graphs.h"
#include "aten/greedy_pool.h"
#include "aten/layers.h"
#include "core/cancellation.h"
#include "engine/engine_calls.h"
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
  AtenEngine(const Weights& weights, const Architecture& architecture, const Placement& placement, CudaRuntime* runtime,
             bool mergesCalls)
      : mergesCalls_(mergesCalls),
        architecture_(architecture),
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
    const at::Tensor ids = inputIds.to(placement_.device, /*non_blocking=*/true);
    const at::Tensor mask = attentionMask.to(placement_.device, /*non_blocking=*/true);
    return fitsEncoderGraph(ids) ? encodePadded(ids, paddingMaskOnDevice(mask)) : encodePadded(ids, paddingMask(mask));
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
    // Searches that merge with other calls go on step by step.
    if (mergesCalls_ || !fitsStep(request.ids.unsqueeze(1))) return std::nullopt;
    const auto& past = dynamic_cast<const AtenCache&>(*request.cache);
    return step_->runGreedy(request, past.self(), past.length(), past.cross());
  }

  bool mergesCalls() const override { return mergesCalls_; }

  bool sharesGreedySearches(std::int64_t rows) const override {
    return mergesCalls_ && step_ != nullptr && rows <= DecoderStep::kMaxRows;
  }

  void runTogether(std::span<EngineCall* const> calls) override {
    std::vector<EngineCall*> steps;
    std::vector<EngineCall*> sources;
    std::vector<EngineCall*> searches;
    for (EngineCall* call : calls) {
      const auto* decode = std::get_if<DecodeCall>(&call->call);
      const auto* forward = std::get_if<ForwardCall>(&call->call);
      if (decode != nullptr && fitsStep(decode->decoderInputIds)) {
        steps.push_back(call);
      } else if (std::holds_alternative<EncodeCall>(call->call) ||
                 (forward != nullptr && fitsStep(forward->decoderInputIds))) {
        sources.push_back(call);
      } else if (std::holds_alternative<SharedGreedyCall>(call->call)) {
        searches.push_back(call);
      } else {
        torch_t5::run(*this, *call);
      }
    }
    // Other callers wait for one step of the searches, not for several.
    const std::int64_t searchSteps = searches.size() < calls.size() ? 1 : kStepsPerPass;
    runInGroups(sources, &AtenEngine::encodeTogether);
    runInGroups(steps, &AtenEngine::stepTogether);
    if (!searches.empty()) pool_->run(searches, searchSteps);
  }

  at::Tensor classify(const at::Tensor& inputIds, const at::Tensor& attentionMask, const Sentence& sentence) override {
    return classifyStates(*this, classificationHead_, inputIds, attentionMask, sentence);
  }

 private:
  /// Steps of greedy searches between two looks at their ends.
  static constexpr std::int64_t kStepsPerPass = 4;
  /// A group of sources is padded to at most this share of more positions than its calls have.
  static constexpr double kMaxPadding = 1.5;

  /// Computes several calls in one pass.
  using RunGroup = void (AtenEngine::*)(std::span<EngineCall* const> calls);

  /// Runs calls in groups that fit a pass. A group that fails, for lack of memory for instance, runs call by call, so
  /// that each has its own error.
  void runInGroups(std::vector<EngineCall*>& calls, RunGroup runGroup) {
    std::ranges::stable_sort(calls, {}, [](const EngineCall* call) { return lengthOf(*call); });
    for (std::size_t first = 0; first < calls.size();) {
      std::size_t count = 1;
      while (first + count < calls.size() && fitTogether(std::span(calls).subspan(first, count + 1))) ++count;
      const std::span<EngineCall* const> group = std::span(calls).subspan(first, count);
      first += count;
      try {
        if (count == 1) {
          torch_t5::run(*this, *group.front());
        } else {
          (this->*runGroup)(group);
        }
      } catch (...) {
        for (EngineCall* call : group) torch_t5::run(*this, *call);
      }
    }
  }

  /// The positions of a row of the source; 0 of a step, which has a cache of it.
  static std::int64_t lengthOf(const EngineCall& call) {
    if (const auto* encode = std::get_if<EncodeCall>(&call.call)) return encode->inputIds.size(1);
    if (const auto* forward = std::get_if<ForwardCall>(&call.call)) return forward->inputIds.size(1);
    return 0;
  }

  static std::int64_t rowsOf(const EngineCall& call) {
    if (const auto* encode = std::get_if<EncodeCall>(&call.call)) return encode->inputIds.size(0);
    if (const auto* forward = std::get_if<ForwardCall>(&call.call)) return forward->inputIds.size(0);
    return std::get<DecodeCall>(call.call).decoderInputIds.size(0);
  }

  /// Whether calls, in order of their lengths, may run in one pass.
  static bool fitTogether(std::span<EngineCall* const> calls) {
    std::int64_t rows = 0;
    std::int64_t positions = 0;
    for (const EngineCall* call : calls) {
      rows += rowsOf(*call);
      positions += rowsOf(*call) * lengthOf(*call);
    }
    const auto padded = static_cast<double>(rows * lengthOf(*calls.back()));
    return rows <= DecoderStep::kMaxRows && padded <= kMaxPadding * static_cast<double>(positions);
  }

  /// The encoder for several calls, padded to the longest, and one decoder position of forward calls.
  void encodeTogether(std::span<EngineCall* const> calls) {
    std::vector<std::pair<at::Tensor, at::Tensor>> inputs;  // ids and masks
    for (const EngineCall* call : calls) {
      if (const auto* encode = std::get_if<EncodeCall>(&call->call)) {
        inputs.emplace_back(encode->inputIds, encode->attentionMask);
      } else {
        const auto& forward = std::get<ForwardCall>(call->call);
        refuseLayers(forward.selection);
        inputs.emplace_back(forward.inputIds, forward.attentionMask);
      }
    }
    // Ids of the host are padded there, which is faster than on the device.
    const bool areOnHost = std::ranges::all_of(inputs, [](const auto& input) { return input.first.is_cpu(); });
    const at::Device device = areOnHost ? at::kCPU : placement_.device;
    std::int64_t rows = 0;
    std::int64_t length = 0;
    for (const auto& [ids, mask] : inputs) {
      rows += ids.size(0);
      length = std::max(length, ids.size(1));
    }
    const at::Tensor allIds = at::zeros({rows, length}, at::TensorOptions(device).dtype(at::kLong));
    const at::Tensor allMasks = at::zeros_like(allIds);
    std::int64_t first = 0;
    for (const auto& [ids, mask] : inputs) {
      const auto own = [&, rows = ids.size(0), length = ids.size(1)](const at::Tensor& all) {
        return all.narrow(0, first, rows).narrow(1, 0, length);
      };
      own(allIds).copy_(ids, /*non_blocking=*/true);
      own(allMasks).copy_(mask, /*non_blocking=*/true);
      first += ids.size(0);
    }
    const at::Tensor padding = paddingMaskOnDevice(allMasks);
    first = 0;
    for (const auto& [ids, mask] : inputs) {
      hideKeys(padding.narrow(0, first, ids.size(0)), ids.size(1));
      first += ids.size(0);
    }
    const at::Tensor states = encodePadded(allIds.to(placement_.device, /*non_blocking=*/true),
                                           padding.to(placement_.device, /*non_blocking=*/true));
    first = 0;
    std::vector<EngineCall*> forwards;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const at::Tensor& ids = inputs[i].first;
      at::Tensor own = states.narrow(0, first, ids.size(0)).narrow(1, 0, ids.size(1));
      first += ids.size(0);
      if (auto* encoded = std::get_if<EncodeCall>(&calls[i]->call)) {
        // Ids of the host are those of searches that take what they need of it at once.
        encoded->output = ids.is_cpu() && !placement_.device.is_cpu() ? own : own.clone(at::MemoryFormat::Contiguous);
      } else {
        std::get<ForwardCall>(calls[i]->call).output.encoderLastHiddenState = own.clone(at::MemoryFormat::Contiguous);
        forwards.push_back(calls[i]);
      }
    }
    if (!forwards.empty()) decodeFirstTogether(forwards);
  }

  bool fitsEncoderGraph(const at::Tensor& ids) const {
    return encoderGraphs_ && encoderGraphs_->accepts(ids.size(0), ids.size(1));
  }

  /// The encoder's states of ids [B, S] with an additive mask [B, 1, 1, S], undefined only where no graph runs.
  at::Tensor encodePadded(const at::Tensor& ids, const at::Tensor& padding) {
    CancellationScope::check();
    if (fitsEncoderGraph(ids)) return encoderGraphs_->run(ids, padding);
    const std::int64_t length = ids.size(1);
    return runEncoder(ids, padding,
                      [&](std::size_t layer) { return encoder_.layers[layer].bias->of(0, length, length); });
  }

  /// The only decoder position of forward calls whose sources are encoded.
  void decodeFirstTogether(std::span<EngineCall* const> calls) {
    std::vector<DecoderStep::Part> parts;
    std::vector<ForwardCall*> forwards;
    for (EngineCall* call : calls) {
      auto& forward = std::get<ForwardCall>(call->call);
      forwards.push_back(&forward);
      AtenCrossCache cross = makeCross(forward.output.encoderLastHiddenState, forward.attentionMask);
      cross.keysAndValues = cross.keysAndValues.contiguous();
      parts.push_back({forward.decoderInputIds, makeSelf(forward.decoderInputIds), 0, std::move(cross)});
    }
    const bool withLogits =
        std::ranges::any_of(forwards, [](const ForwardCall* call) { return call->selection.isAll(); });
    const DecoderStep::Output step = step_->run(parts, withLogits);
    std::int64_t row = 0;
    for (ForwardCall* call : forwards) {
      const std::int64_t rows = call->decoderInputIds.size(0);
      call->output.decoderLastHiddenState = step.states.narrow(0, row, rows);
      call->output.logits = call->selection.isAll() ? step.logits.narrow(0, row, rows)
                                                    : logits(call->output.decoderLastHiddenState, call->selection);
      row += rows;
    }
  }

  /// One decoder position of several calls, with or without a cache.
  void stepTogether(std::span<EngineCall* const> calls) {
    CancellationScope::check();
    std::vector<DecoderStep::Part> parts;
    std::vector<DecodeCall*> decodes;
    bool withLogits = false;
    for (EngineCall* call : calls) {
      auto& decode = std::get<DecodeCall>(call->call);
      refuseLayers(decode.selection);
      decodes.push_back(&decode);
      withLogits = withLogits || decode.selection.isAll();
      if (decode.cache) {
        const auto& past = dynamic_cast<const AtenCache&>(*decode.cache);
        parts.push_back(
            {decode.decoderInputIds, AtenSelfCache::extend(past.self(), past.length()), past.length(), past.cross()});
      } else {
        parts.push_back({decode.decoderInputIds, makeSelf(decode.decoderInputIds), 0, makeCross(decode.source)});
      }
    }
    const DecoderStep::Output step = step_->run(parts, withLogits);
    const bool chooses = std::ranges::any_of(decodes, [](const DecodeCall* call) { return call->choosesTokens; });
    const at::Tensor highest = chooses ? at::argmax(step.logits.squeeze(1), -1) : at::Tensor();
    std::int64_t row = 0;
    for (std::size_t i = 0; i < decodes.size(); ++i) {
      DecodeCall& call = *decodes[i];
      const std::int64_t rows = call.decoderInputIds.size(0);
      call.output.decoderLastHiddenState = step.states.narrow(0, row, rows);
      if (call.choosesTokens) {
        call.tokens = highest.narrow(0, row, rows);
      } else if (call.selection.isAll()) {
        call.output.logits = step.logits.narrow(0, row, rows);
      } else {
        call.output.logits = logits(call.output.decoderLastHiddenState, call.selection);
      }
      call.output.cache = std::make_shared<const AtenCache>(parts[i].self, parts[i].position + 1, parts[i].cross);
      row += rows;
    }
    // Last: if anything above throws, the written positions stay unclaimed.
    for (const DecoderStep::Part& part : parts) part.self->claim(part.position + 1);
  }

  /// The cross-attention caches of searches, with one product for all sources.
  std::vector<AtenCrossCache> makeCrossOf(std::span<const GreedySearch* const> searches) const {
    std::vector<at::Tensor> states;
    for (const GreedySearch* search : searches) states.push_back(search->lastHiddenState.flatten(0, 1));
    const at::Tensor all = states.size() == 1 ? states.front() : at::cat(states);
    const at::Tensor keysAndValues = layers_.crossKeysAndValues(all.unsqueeze(0), crossInput_);
    std::vector<AtenCrossCache> caches;
    std::int64_t first = 0;
    for (const GreedySearch* search : searches) {
      const at::Tensor& mask = search->attentionMask;
      const std::int64_t rows = mask.size(0);
      const std::int64_t length = mask.size(1);
      // [layers, 2, 1, heads, rows * length, dKv] to [layers, 2, rows, heads, length, dKv]
      at::Tensor own = keysAndValues.narrow(4, first, rows * length).squeeze(2).unflatten(3, {rows, length});
      own = own.permute({0, 1, 3, 2, 4, 5}).contiguous();
      at::Tensor padding = paddingMask(mask);  // on the host, which nobody waits for
      if (padding.defined()) padding = padding.to(placement_.device, /*non_blocking=*/true);
      caches.push_back({std::move(own), std::move(padding), {}, 1});
      first += rows * length;
    }
    return caches;
  }

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
    if (step_ && mergesCalls_) pool_ = makePool(runtime);
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

  std::unique_ptr<GreedyPool> makePool(CudaRuntime& runtime) {
    GreedyPool::Caches caches;
    caches.makeCross = [this](std::span<const GreedySearch* const> searches) { return makeCrossOf(searches); };
    caches.makeSelf = [this](std::int64_t rows, std::int64_t capacity) { return makeSelf(rows, capacity); };
    return std::make_unique<GreedyPool>(runtime, *step_, std::move(caches));
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
    return makeSelf(ids.size(0), ids.size(1));
  }

  std::shared_ptr<AtenSelfCache> makeSelf(std::int64_t rows, std::int64_t capacity) const {
    const std::vector<std::int64_t> shape{architecture_.numDecoderLayers, 2,        rows,
                                          architecture_.numHeads,         capacity, architecture_.dKv};
    return std::make_shared<AtenSelfCache>(shape, embedding_.options());
  }

  DecoderOutput decodeWithCache(const at::Tensor& ids, const std::shared_ptr<AtenSelfCache>& self,
                                std::int64_t position, const AtenCrossCache& cross, const LogitsSelection& selection) {
    CancellationScope::check();
    const std::int64_t length = position + ids.size(1);
    DecoderOutput output;
    if (fitsStep(ids)) {
      const DecoderStep::Part part{ids, self, position, cross};
      DecoderStep::Output step = step_->run(std::span(&part, 1), selection.isAll());
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

  bool mergesCalls_;
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
  std::unique_ptr<GreedyPool> pool_;   // null unless greedy searches share steps
  std::optional<EncoderGraphs> encoderGraphs_;
  std::optional<DecoderGraphs> decoderGraphs_;
};

}  // namespace

std::unique_ptr<Engine> makeAtenEngine(Weights weights, const Architecture& architecture, Precision precision,
                                       const at::Device& device, CudaRuntime* runtime, bool mergesCalls) {
  const Placement placement{device, precision == Precision::kBfloat16 ? at::kBFloat16 : at::kFloat};
  return std::make_unique<AtenEngine>(weights, architecture, placement, runtime, mergesCalls);
}

}  // namespace torch_t5
