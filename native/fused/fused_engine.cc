#include "fused/fused_engine.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/cancellation.h"
#include "core/errors.h"
#include "engine/tensors.h"
#include "fused/buffer_pool.h"
#include "fused/instruction_set.h"
#include "fused/kv_cache.h"
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

FloatRows toFloatRows(const at::Tensor& tensor) {
  const std::int64_t columns = tensor.size(-1);
  return {static_cast<float*>(tensor.data_ptr()), tensor.numel() / columns, columns};
}

class FusedEngine final : public Engine {
 public:
  FusedEngine(Weights weights, const Architecture& architecture, Precision precision, int threads)
      : executor_{bestKernels(), threads},
        classificationHead_(classificationHeadOf(weights, at::kCPU)),
        model_(packModel(std::move(weights), architecture, dataTypeOf(precision), executor_)),
        transformer_(model_, executor_, scratch_) {}

  at::Device device() const override { return at::kCPU; }

  bool isBatchInvariant() const override { return true; }

  std::int64_t vocabSize() const override { return model_.architecture.vocabSize; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& selection) override {
    expectDecoder(!model_.decoder.layers.empty());
    const CallScope scope(scratch_);
    const RaggedBatch batch(attentionMask);
    EncoderStates states = encodeRows(inputIds, batch);
    const FloatRows hidden = embed(toVector(decoderInputIds), "decoderInputIds");
    transformer_.decode(hidden, decoderInputIds.size(1),
                        {convert(executor_, scratch_, model_.dataType, states.rows), batch});
    ForwardOutput output;
    output.encoderLastHiddenState = std::move(states.padded);
    output.decoderLastHiddenState = finalStates(hidden, decoderInputIds.sizes());
    output.logits = logits(output.decoderLastHiddenState, selection);
    return output;
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    const CallScope scope(scratch_);
    return encodeRows(inputIds, RaggedBatch(attentionMask)).padded;
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& selection) override {
    expectDecoder(!model_.decoder.layers.empty());
    const CallScope scope(scratch_);
    LastCrossKvCache::Entry cross = lastCross_.find(source);
    if (cross.cache == nullptr) {
      cross.cache = computeCross(*source.encoderOutput, cross.encoderRows);
      lastCross_.store(source, cross);
    }
    const auto layers = static_cast<std::int64_t>(model_.decoder.layers.size());
    return decode(decoderInputIds, PagedKvCache(model_.heads, layers, cross.cache, std::move(cross.sources)),
                  selection);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& selection) override {
    const CallScope scope(scratch_);
    return decode(decoderInputIds, dynamic_cast<const PagedKvCache&>(*cache), selection);
  }

  at::Tensor classify(const at::Tensor& inputIds, const at::Tensor& attentionMask, const Sentence& sentence) override {
    return classifyStates(*this, classificationHead_, inputIds, attentionMask, sentence);
  }

 private:
  /// Resets the scratch memory when a call ends.
  class CallScope {
   public:
    explicit CallScope(Scratch& scratch) : scratch_(scratch) {}
    ~CallScope() { scratch_.reset(); }
    CallScope(const CallScope&) = delete;
    CallScope& operator=(const CallScope&) = delete;

   private:
    Scratch& scratch_;
  };

  FloatRows takeHidden(std::int64_t rows) {
    const std::int64_t columns = model_.architecture.dModel;
    return {scratch_.take<float>(rows * columns), rows, columns};
  }

  /// The embeddings of ids. `name`: of the ids in error messages. Throws ERR_TOKEN_OUT_OF_RANGE.
  FloatRows embed(const std::vector<std::int64_t>& ids, const char* name) {
    expectIndices(ids, vocabSize(), "ids", name, ErrorCode::kTokenOutOfRange);
    const FloatRows hidden = takeHidden(static_cast<std::int64_t>(ids.size()));
    model_.embedding.read(executor_, ids, hidden);
    return hidden;
  }

  /// The encoder's last hidden states: the computed rows, and a padded batch [B, S, D] whose padding is 0.
  struct EncoderStates {
    FloatRows rows;
    at::Tensor padded;
  };

  EncoderStates encodeRows(const at::Tensor& inputIds, const RaggedBatch& batch) {
    const std::vector<std::int64_t> padded = toVector(inputIds);
    const std::int64_t size = inputIds.size(1);
    std::vector<std::int64_t> ids;
    ids.reserve(static_cast<std::size_t>(batch.rowCount()));
    for (std::size_t i = 0; i < batch.sequences().size(); ++i) {
      const Sequence& sequence = batch.sequences()[i];
      const auto first = padded.begin() + static_cast<std::int64_t>(i) * size + sequence.first;
      ids.insert(ids.end(), first, first + sequence.length);
    }
    const FloatRows hidden = embed(ids, "inputIds");
    transformer_.encode(hidden, batch);
    const std::vector<std::int64_t> shape{inputIds.size(0), size, hidden.columns};
    const bool isWhole = hidden.rows == shape[0] * shape[1];
    EncoderStates states;
    states.padded = isWhole ? at::empty(shape, at::kFloat) : at::zeros(shape, at::kFloat);
    states.rows = isWhole ? toFloatRows(states.padded) : takeHidden(hidden.rows);
    normalizeTo(executor_, hidden, model_.encoder.norm.const_data_ptr<float>(), model_.epsilon(), states.rows);
    if (!isWhole) scatter(states.rows, batch, states.padded);
    return states;
  }

  /// Writes the rows of each sequence to its positions in the padded batch.
  static void scatter(const FloatRows& rows, const RaggedBatch& batch, at::Tensor& padded) {
    auto* to = static_cast<float*>(padded.data_ptr());
    for (std::size_t i = 0; i < batch.sequences().size(); ++i) {
      const Sequence& sequence = batch.sequences()[i];
      const std::int64_t first = static_cast<std::int64_t>(i) * padded.size(1) + sequence.first;
      std::copy_n(rows.data + sequence.row * rows.columns, sequence.length * rows.columns, to + first * rows.columns);
    }
  }

  /// The cross keys and values of some rows of the encoder's output. `encoderRows`: undefined for all rows.
  std::shared_ptr<const CrossKvCache> computeCross(const EncoderOutput& encoderOutput, const at::Tensor& encoderRows) {
    const at::Tensor mask =
        encoderRows.defined() ? encoderOutput.attentionMask.index_select(0, encoderRows) : encoderOutput.attentionMask;
    const at::Tensor states = (encoderRows.defined() ? encoderOutput.lastHiddenState.index_select(0, encoderRows)
                                                     : encoderOutput.lastHiddenState)
                                  .contiguous();
    const auto layers = static_cast<std::int64_t>(model_.decoder.layers.size());
    auto cache = std::make_shared<CrossKvCache>(model_.heads, layers, RaggedBatch(mask));
    const Scratch::Frame frame(scratch_);
    const RaggedBatch& batch = cache->batch();
    const FloatRows rows = takeHidden(batch.rowCount());
    for (std::size_t i = 0; i < batch.sequences().size(); ++i) {
      const Sequence& sequence = batch.sequences()[i];
      const std::int64_t first = static_cast<std::int64_t>(i) * states.size(1) + sequence.first;
      std::copy_n(states.const_data_ptr<float>() + first * rows.columns, sequence.length * rows.columns,
                  rows.data + sequence.row * rows.columns);
    }
    transformer_.fillCrossCache(convert(executor_, scratch_, model_.dataType, rows), *cache);
    return cache;
  }

  DecoderOutput decode(const at::Tensor& decoderInputIds, const PagedKvCache& cache, const LogitsSelection& selection) {
    const std::int64_t length = decoderInputIds.size(1);
    const FloatRows hidden = embed(toVector(decoderInputIds), "decoderInputIds");
    std::shared_ptr<PagedKvCache> extended = cache.extend(length, executor_);
    transformer_.decode(hidden, length, *extended);
    DecoderOutput output;
    output.decoderLastHiddenState = finalStates(hidden, decoderInputIds.sizes());
    output.logits = logits(output.decoderLastHiddenState, selection);
    output.cache = std::move(extended);
    return output;
  }

  /// The decoder's last hidden states [R, T, D].
  at::Tensor finalStates(const FloatRows& hidden, at::IntArrayRef shape) const {
    at::Tensor states = at::empty({shape[0], shape[1], hidden.columns}, at::kFloat);
    normalizeTo(executor_, hidden, model_.decoder.norm.const_data_ptr<float>(), model_.epsilon(), toFloatRows(states));
    return states;
  }

  /// The selected logits of states [R, T, D]; undefined for an empty selection.
  at::Tensor logits(const at::Tensor& states, const LogitsSelection& selection) {
    if (selection.isEmpty) return {};
    expectLmHead(model_.lmHead != nullptr);
    CancellationScope::check();
    const Scratch::Frame frame(scratch_);
    at::Tensor chosen = selection.positions.defined() ? states.index_select(1, selection.positions) : states;
    // Like Hugging Face, scales the input of `lm_head`, not its output.
    if (model_.architecture.scalesDecoderOutputs)
      chosen = chosen * std::pow(static_cast<double>(model_.architecture.dModel), -0.5);
    const Operand rows = convert(executor_, scratch_, model_.dataType, toFloatRows(chosen));
    const std::int64_t columns = selection.tokens.defined() ? selection.tokens.numel() : vocabSize();
    at::Tensor result = buffers_.take({chosen.size(0), chosen.size(1), columns});
    constexpr std::int64_t kMaxStoredBytes = std::int64_t{4} << 20;  // larger logits bypass the caches
    const auto epilogue = static_cast<std::int64_t>(result.nbytes()) > kMaxStoredBytes ? kernels::Epilogue::kStream
                                                                                       : kernels::Epilogue::kStore;
    if (selection.tokens.defined()) {
      multiply(executor_, rows, model_.lmHead->selectColumns(toVector(selection.tokens)), toFloatRows(result),
               epilogue);
    } else {
      multiply(executor_, rows, *model_.lmHead, toFloatRows(result), epilogue);
    }
    return result;
  }

  Executor executor_;
  std::optional<ClassificationHead> classificationHead_;
  PackedModel model_;
  Scratch scratch_;
  Transformer transformer_;
  LastCrossKvCache lastCross_;
  BufferPool buffers_;
};

}  // namespace

std::unique_ptr<Engine> makeFusedEngine(Weights weights, const Architecture& architecture, Precision precision,
                                        int threads) {
  return std::make_unique<FusedEngine>(std::move(weights), architecture, precision, threads);
}

}  // namespace torch_t5
