#include "fused/fused_engine.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/errors.h"
#include "engine/engine_calls.h"
#include "engine/tensors.h"
#include "fused/block_sizes.h"
#include "fused/instruction_set.h"
#include "fused/kv_cache.h"
#include "fused/lm_head.h"
#include "fused/packed_model.h"
#include "fused/transformer.h"
#include "weights/classification_head.h"

namespace torch_t5 {
namespace {

kernels::DataType dataTypeOf(Precision precision) {
  switch (precision) {
    case Precision::kBfloat16:
      return kernels::DataType::kBfloat16;
    case Precision::kInt8:
      return kernels::DataType::kInt8;
    default:
      return kernels::DataType::kFloat32;
  }
}

/// The decoder's states that the calls of a pass need, one call after another.
class PassStates {
 public:
  /// Adds a call. `ids`: [R, T].
  void add(const at::Tensor& ids, const LogitsSelection& selection) {
    const bool selects = !selection.needsStates && !selection.isEmpty && selection.positions.defined() &&
                         selection.positions.numel() > 0 && selection.positions.numel() < ids.size(1);
    positions_.push_back(selects ? toVector(selection.positions) : std::vector<std::int64_t>());
    calls_.push_back({rowCount_, ids.size(0), selects ? selection.positions.numel() : ids.size(1), selects});
    rowCount_ += calls_.back().rows * calls_.back().positions;
  }

  bool areSelected(std::size_t call) const { return calls_[call].areSelected; }
  std::int64_t firstRow(std::size_t call) const { return calls_[call].firstRow; }

  /// The call's R, and the positions of each row that are among the states: P or T.
  std::pair<std::int64_t, std::int64_t> shape(std::size_t call) const {
    return {calls_[call].rows, calls_[call].positions};
  }

  /// The positions of every sequence of all calls. Valid as long as this object.
  SelectedPositions selected() const {
    SelectedPositions selected;
    for (std::size_t i = 0; i < calls_.size(); ++i)
      selected.insert(selected.end(), static_cast<std::size_t>(calls_[i].rows),
                      calls_[i].areSelected ? &positions_[i] : nullptr);
    return selected;
  }

  FloatRows rows;  // before the final norm

 private:
  struct Call {
    std::int64_t firstRow;
    std::int64_t rows;
    std::int64_t positions;
    bool areSelected;
  };

  std::vector<Call> calls_;
  std::vector<std::vector<std::int64_t>> positions_;
  std::int64_t rowCount_ = 0;
};

class FusedEngine final : public Engine {
 public:
  FusedEngine(Weights weights, const Architecture& architecture, Precision precision, int threads)
      : executor_{bestKernels(), threads, blockSizes()},
        classificationHead_(classificationHeadOf(weights, at::kCPU)),
        model_(packModel(std::move(weights), architecture, dataTypeOf(precision), executor_)),
        transformer_(model_, executor_, scratch_),
        lmHead_(model_, executor_, scratch_) {}

  at::Device device() const override { return at::kCPU; }

  bool isBatchInvariant() const override { return true; }

  std::int64_t vocabSize() const override { return model_.architecture.vocabSize; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& selection) override {
    EngineCall call{ForwardCall{inputIds, attentionMask, decoderInputIds, selection, {}}, {}};
    runAlone(call);
    return std::move(std::get<ForwardCall>(call.call).output);
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    EngineCall call{EncodeCall{inputIds, attentionMask, {}}, {}};
    runAlone(call);
    return std::move(std::get<EncodeCall>(call.call).output);
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& selection) override {
    const std::shared_ptr<const DecoderCache> none;
    EngineCall call{DecodeCall{decoderInputIds, source, none, selection, false, {}, {}}, {}};
    runAlone(call);
    return std::move(std::get<DecodeCall>(call.call).output);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& selection) override {
    const DecoderSource unused;
    EngineCall call{DecodeCall{decoderInputIds, unused, cache, selection, false, {}, {}}, {}};
    runAlone(call);
    return std::move(std::get<DecodeCall>(call.call).output);
  }

  std::int64_t cacheBytes(const CacheSize& size) const override {
    const HeadLayout& heads = model_.heads;
    const std::int64_t blocks = size.rows * heads.blocksFor(size.positions) + heads.blocksFor(size.sourcePositions);
    const auto layers = static_cast<std::int64_t>(model_.decoder.layers.size());
    return blocks * layers * heads.count * heads.blockWords() * static_cast<std::int64_t>(sizeof(float));
  }

  bool mergesCalls() const override { return true; }

  void runTogether(std::span<EngineCall* const> calls) override {
    const CallScope scope(*this);
    std::vector<EncoderPart> encoderParts;
    std::vector<DecodeCall*> decodeCalls;
    for (EngineCall* call : calls) {
      try {
        check(*call);
      } catch (const Error&) {
        call->error = std::current_exception();
        continue;
      }
      if (auto* encode = std::get_if<EncodeCall>(&call->call)) {
        encoderParts.push_back({encode->inputIds, encode->attentionMask, encode->output, nullptr});
      } else if (auto* forward = std::get_if<ForwardCall>(&call->call)) {
        encoderParts.push_back(
            {forward->inputIds, forward->attentionMask, forward->output.encoderLastHiddenState, forward});
      } else if (auto* decode = std::get_if<DecodeCall>(&call->call)) {
        decodeCalls.push_back(decode);
      } else {
        run(*this, *call);
      }
    }
    if (!decodeCalls.empty()) decode(decodeCalls);
    if (!encoderParts.empty()) encode(encoderParts);
  }

  at::Tensor classify(const at::Tensor& inputIds, const at::Tensor& attentionMask, const Sentence& sentence) override {
    return classifyStates(*this, classificationHead_, inputIds, attentionMask, sentence);
  }

 private:
  /// Releases the scratch memory of a pass when it ends. A pass within an interlude of another shares the memory.
  class CallScope {
   public:
    explicit CallScope(FusedEngine& engine) : engine_(engine), frame_(engine.scratch_) { ++engine_.depth_; }
    ~CallScope() {
      if (--engine_.depth_ == 0) engine_.scratch_.reset();
    }
    CallScope(const CallScope&) = delete;
    CallScope& operator=(const CallScope&) = delete;

   private:
    FusedEngine& engine_;
    const Scratch::Frame frame_;
  };

  /// The encoder's part of a call.
  struct EncoderPart {
    const at::Tensor& inputIds;
    const at::Tensor& attentionMask;
    at::Tensor& output;    // the padded last hidden states [B, S, D]
    ForwardCall* forward;  // null: nothing follows the encoder
  };

  void runAlone(EngineCall& call) {
    EngineCall* const calls[] = {&call};
    runTogether(calls);
    if (call.error) std::rethrow_exception(call.error);
  }

  /// Throws ERR_TOKEN_OUT_OF_RANGE, and ERR_INVALID_ARGUMENT for what the model or the engine lacks.
  void check(const EngineCall& call) const {
    if (const auto* encode = std::get_if<EncodeCall>(&call.call)) {
      checkIds(encode->inputIds, "inputIds");
    } else if (const auto* forward = std::get_if<ForwardCall>(&call.call)) {
      checkDecoder(forward->selection);
      checkIds(forward->inputIds, "inputIds");
      checkIds(forward->decoderInputIds, "decoderInputIds");
    } else if (const auto* decode = std::get_if<DecodeCall>(&call.call)) {
      checkDecoder(decode->selection);
      checkIds(decode->decoderInputIds, "decoderInputIds");
    }
  }

  void checkDecoder(const LogitsSelection& selection) const {
    expectDecoder(!model_.decoder.layers.empty());
    refuseLayers(selection);
    if (!selection.isEmpty) expectLmHead(model_.lmHead != nullptr);
  }

  void checkIds(const at::Tensor& ids, const char* name) const {
    const at::Tensor values = ids.contiguous();
    const std::span received(values.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(values.numel()));
    expectIndices(received, vocabSize(), "ids", name, ErrorCode::kTokenOutOfRange);
  }

  FloatRows takeHidden(std::int64_t rows) {
    const std::int64_t columns = model_.architecture.dModel;
    return {scratch_.take<float>(rows * columns), rows, columns};
  }

  FloatRows embed(const std::vector<std::int64_t>& ids) {
    const FloatRows hidden = takeHidden(static_cast<std::int64_t>(ids.size()));
    model_.embedding.read(executor_, ids, hidden);
    return hidden;
  }

  /// Runs the encoder, and for a forward call the decoder.
  void encode(std::vector<EncoderPart>& parts) {
    RaggedBatch batch;
    std::vector<std::int64_t> ids;
    for (const EncoderPart& part : parts) {
      const std::size_t first = batch.sequences().size();
      batch.add(part.attentionMask);
      appendIds(part.inputIds, std::span(batch.sequences()).subspan(first), ids);
    }
    const FloatRows hidden = embed(ids);
    transformer_.encode(hidden, batch);
    const bool isWhole = parts.size() == 1 && hidden.rows == parts.front().inputIds.numel();
    for (EncoderPart& part : parts) {
      const std::vector<std::int64_t> shape{part.inputIds.size(0), part.inputIds.size(1), hidden.columns};
      part.output = isWhole ? at::empty(shape, at::kFloat) : at::zeros(shape, at::kFloat);
    }
    const FloatRows states = isWhole ? toFloatRows(parts.front().output) : takeHidden(hidden.rows);
    normalizeTo(executor_, hidden, model_.encoder.norm.const_data_ptr<float>(), model_.epsilon(), states);
    if (!isWhole) {
      std::size_t first = 0;
      for (EncoderPart& part : parts) {
        const auto count = static_cast<std::size_t>(part.inputIds.size(0));
        scatter(states, std::span(batch.sequences()).subspan(first, count), part.output);
        first += count;
      }
    }
    std::vector<ForwardCall*> forwardCalls;
    for (const EncoderPart& part : parts) {
      if (part.forward != nullptr) forwardCalls.push_back(part.forward);
    }
    if (forwardCalls.empty()) return;
    if (forwardCalls.size() == parts.size()) {
      decode(forwardCalls, {convert(executor_, scratch_, model_.dataType, states), batch});
    } else {
      RaggedBatch forwardBatch;
      for (const ForwardCall* call : forwardCalls) forwardBatch.add(call->attentionMask);
      std::vector<at::Tensor> encoded;
      for (const ForwardCall* call : forwardCalls) encoded.push_back(call->output.encoderLastHiddenState);
      const FloatRows rows = takeHidden(forwardBatch.rowCount());
      gatherRows(encoded, forwardBatch, rows);
      decode(forwardCalls, {convert(executor_, scratch_, model_.dataType, rows), forwardBatch});
    }
  }

  /// Appends the computed ids of a padded batch [B, S].
  static void appendIds(const at::Tensor& inputIds, std::span<const Sequence> sequences,
                        std::vector<std::int64_t>& ids) {
    const std::vector<std::int64_t> padded = toVector(inputIds);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const auto first = padded.begin() + static_cast<std::int64_t>(i) * inputIds.size(1) + sequences[i].first;
      ids.insert(ids.end(), first, first + sequences[i].length);
    }
  }

  /// Writes the rows of each sequence to its positions in the padded batch.
  static void scatter(const FloatRows& rows, std::span<const Sequence> sequences, at::Tensor& padded) {
    auto* to = static_cast<float*>(padded.data_ptr());
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const Sequence& sequence = sequences[i];
      const std::int64_t first = static_cast<std::int64_t>(i) * padded.size(1) + sequence.first;
      std::copy_n(rows.data + sequence.row * rows.columns, sequence.length * rows.columns, to + first * rows.columns);
    }
  }

  /// Copies the computed rows of padded batches [B, S, D], one batch after another.
  static void gatherRows(std::span<const at::Tensor> batches, const RaggedBatch& batch, const FloatRows& to) {
    auto sequence = batch.sequences().begin();
    for (const at::Tensor& states : batches) {
      const auto* from = states.const_data_ptr<float>();
      for (std::int64_t i = 0; i < states.size(0); ++i, ++sequence) {
        const std::int64_t first = i * states.size(1) + sequence->first;
        std::copy_n(from + first * to.columns, sequence->length * to.columns, to.data + sequence->row * to.columns);
      }
    }
  }

  /// The decoder's part of forward calls.
  void decode(const std::vector<ForwardCall*>& calls, const EncoderRows& encoderRows) {
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> lengths;
    for (const ForwardCall* call : calls) {
      const std::vector<std::int64_t> own = toVector(call->decoderInputIds);
      ids.insert(ids.end(), own.begin(), own.end());
      lengths.insert(lengths.end(), static_cast<std::size_t>(call->decoderInputIds.size(0)),
                     call->decoderInputIds.size(1));
    }
    PassStates states;
    for (const ForwardCall* call : calls) states.add(call->decoderInputIds, call->selection);
    states.rows = transformer_.decode(embed(ids), lengths, encoderRows, states.selected());
    std::vector<LogitsPart> parts;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      ForwardOutput& output = calls[i]->output;
      parts.push_back({finalStates(states, i), states.areSelected(i), calls[i]->selection, output.logits});
      if (!states.areSelected(i)) output.decoderLastHiddenState = parts.back().states;
    }
    lmHead_.compute(parts);
  }

  /// Prefills and steps.
  void decode(const std::vector<DecodeCall*>& calls) {
    const std::vector<std::shared_ptr<const PagedKvCache>> caches = currentCaches(calls);
    std::vector<std::int64_t> ids;
    std::vector<std::shared_ptr<PagedKvCache>> extended;
    std::vector<NewCachePositions> positions;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const std::vector<std::int64_t> own = toVector(calls[i]->decoderInputIds);
      ids.insert(ids.end(), own.begin(), own.end());
      const std::int64_t length = calls[i]->decoderInputIds.size(1);
      extended.push_back(caches[i]->extend(length, executor_));
      positions.push_back({*extended.back(), length});
    }
    PassStates states;
    for (const DecodeCall* call : calls) states.add(call->decoderInputIds, call->selection);
    states.rows = transformer_.decode(embed(ids), positions, states.selected());
    std::vector<LogitsPart> parts;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      DecodeCall& call = *calls[i];
      parts.push_back({finalStates(states, i), states.areSelected(i), call.selection, call.output.logits,
                       call.choosesTokens ? &call.tokens : nullptr});
      if (!states.areSelected(i)) call.output.decoderLastHiddenState = parts.back().states;
    }
    lmHead_.compute(parts);
    for (std::size_t i = 0; i < calls.size(); ++i) calls[i]->output.cache = std::move(extended[i]);
  }

  /// The cache that each call continues: an empty one for a prefill.
  std::vector<std::shared_ptr<const PagedKvCache>> currentCaches(const std::vector<DecodeCall*>& calls) {
    const auto layers = static_cast<std::int64_t>(model_.decoder.layers.size());
    std::vector<std::shared_ptr<const PagedKvCache>> caches;
    std::vector<std::shared_ptr<const CrossKvCache>> computed;
    std::vector<at::Tensor> states;  // of each computed cache
    std::vector<std::pair<const DecoderSource*, RecentCrossKvCaches::Entry>> stored;
    for (const DecodeCall* call : calls) {
      if (call->cache) {
        caches.push_back(std::dynamic_pointer_cast<const PagedKvCache>(call->cache));
        continue;
      }
      RecentCrossKvCaches::Entry cross = recentCross_.find(call->source);
      if (cross.cache == nullptr) {
        const EncoderOutput& encoderOutput = *call->source.encoderOutput;
        const at::Tensor& rows = cross.encoderRows;
        RaggedBatch batch;
        batch.add(rows.defined() ? encoderOutput.attentionMask.index_select(0, rows) : encoderOutput.attentionMask);
        states.push_back(
            (rows.defined() ? encoderOutput.lastHiddenState.index_select(0, rows) : encoderOutput.lastHiddenState)
                .contiguous());
        cross.cache = std::make_shared<CrossKvCache>(model_.heads, layers, std::move(batch));
        computed.push_back(cross.cache);
        stored.emplace_back(&call->source, cross);
      }
      caches.push_back(std::make_shared<PagedKvCache>(model_.heads, layers, cross.cache, std::move(cross.sources)));
    }
    if (!computed.empty()) fillCrossCaches(computed, states);
    for (const auto& [source, cross] : stored) recentCross_.store(*source, cross);
    return caches;
  }

  /// Computes the keys and values of empty caches. `states`: those of each cache's batch, [B, S, D].
  void fillCrossCaches(const std::vector<std::shared_ptr<const CrossKvCache>>& caches,
                       const std::vector<at::Tensor>& states) {
    std::int64_t count = 0;
    for (const auto& cache : caches) count += cache->batch().rowCount();
    const Scratch::Frame frame(scratch_);
    const FloatRows rows = takeHidden(count);
    std::int64_t first = 0;
    for (std::size_t i = 0; i < caches.size(); ++i) {
      const RaggedBatch& batch = caches[i]->batch();
      gatherRows(std::span(states).subspan(i, 1), batch, rows.slice(first, batch.rowCount()));
      first += batch.rowCount();
    }
    transformer_.fillCrossCaches(convert(executor_, scratch_, model_.dataType, rows), caches);
  }

  /// The decoder's last hidden states of a call: [R, T, D], or [R, P, D] if they are selected.
  at::Tensor finalStates(const PassStates& pass, std::size_t call) const {
    const auto [rows, positions] = pass.shape(call);
    at::Tensor states = at::empty({rows, positions, pass.rows.columns}, at::kFloat);
    const FloatRows hidden = pass.rows.slice(pass.firstRow(call), rows * positions);
    normalizeTo(executor_, hidden, model_.decoder.norm.const_data_ptr<float>(), model_.epsilon(), toFloatRows(states));
    return states;
  }

  Executor executor_;
  std::optional<ClassificationHead> classificationHead_;
  PackedModel model_;
  Scratch scratch_;
  Transformer transformer_;
  RecentCrossKvCaches recentCross_;
  int depth_ = 0;  // passes that run: more than one within an interlude
  LmHead lmHead_;
};

}  // namespace

std::unique_ptr<Engine> makeFusedEngine(Weights weights, const Architecture& architecture, Precision precision,
                                        int threads) {
  return std::make_unique<FusedEngine>(std::move(weights), architecture, precision, threads);
}

}  // namespace torch_t5
