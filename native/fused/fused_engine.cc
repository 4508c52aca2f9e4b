#include "fused/fused_engine.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "core/cancellation.h"
#include "core/errors.h"
#include "fused/buffer_pool.h"
#include "fused/cross_memo.h"
#include "fused/packed_model.h"
#include "fused/processor.h"
#include "fused/transformer.h"

namespace torch_t5 {
namespace {

kernels::Format formatOf(Precision precision) {
  switch (precision) {
    case Precision::kBfloat16:
      return kernels::Format::kBfloat16;
    case Precision::kInt8:
      return kernels::Format::kInt8;
    default:
      return kernels::Format::kFloat32;
  }
}

std::vector<std::int64_t> numbersOf(const at::Tensor& tensor) {
  const at::Tensor contiguous = tensor.contiguous();
  const auto* first = contiguous.const_data_ptr<std::int64_t>();
  return {first, first + contiguous.numel()};
}

FloatRows rowsOf(const at::Tensor& tensor) {
  const std::int64_t columns = tensor.size(-1);
  return {static_cast<float*>(tensor.data_ptr()), tensor.numel() / columns, columns};
}

class FusedEngine final : public Engine {
 public:
  FusedEngine(Weights weights, const Architecture& architecture, Precision precision, int threads)
      : parallel_{processorKernels(), threads},
        model_(packModel(std::move(weights), architecture, formatOf(precision), parallel_)),
        transformer_(model_, parallel_, scratch_) {}

  at::Device device() const override { return at::kCPU; }

  std::int64_t vocabSize() const override { return model_.architecture.vocabSize; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& wanted) override {
    const Call call(scratch_);
    const RaggedBatch batch(attentionMask);
    EncoderStates states = encodeRows(inputIds, batch);
    const FloatRows hidden = embed(numbersOf(decoderInputIds));
    transformer_.decode(hidden, decoderInputIds.size(1),
                        {convert(parallel_, scratch_, model_.format, states.rows), batch});
    ForwardOutput output;
    output.encoderLastHiddenState = std::move(states.padded);
    output.decoderLastHiddenState = finalStates(hidden, decoderInputIds.sizes());
    output.logits = logits(output.decoderLastHiddenState, wanted);
    return output;
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    const Call call(scratch_);
    return encodeRows(inputIds, RaggedBatch(attentionMask)).padded;
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& wanted) override {
    const Call call(scratch_);
    CrossMemo::Rows rows = crossMemo_.rowsOf(source);
    if (rows.cache == nullptr) {
      rows.cache = computeCross(*source.encoderOutput, rows.encoderRows);
      crossMemo_.keep(source, rows);
    }
    const auto layers = static_cast<std::int64_t>(model_.decoder.layers.size());
    return decode(decoderInputIds, FusedCache(model_.heads, layers, rows.cache, std::move(rows.sources)), wanted);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& wanted) override {
    const Call call(scratch_);
    return decode(decoderInputIds, dynamic_cast<const FusedCache&>(*cache), wanted);
  }

 private:
  /// What a call takes of the scratch memory is given back when it ends.
  class Call {
   public:
    explicit Call(Scratch& scratch) : scratch_(scratch) {}
    ~Call() { scratch_.callback(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Scratch& scratch_;
  };

  FloatRows takeHidden(std::int64_t rows) {
    const std::int64_t columns = model_.architecture.dModel;
    return {scratch_.take<float>(rows * columns), rows, columns};
  }

  /// The embeddings of ids.
  FloatRows embed(const std::vector<std::int64_t>& ids) {
    for (const std::int64_t id : ids) {
      if (id >= 0 && id < vocabSize()) continue;
      throw Error(ErrorCode::kTokenOutOfRange,
                  "Expected ids from 0 to " + std::to_string(vocabSize() - 1) + " but received " + std::to_string(id));
    }
    const FloatRows hidden = takeHidden(static_cast<std::int64_t>(ids.size()));
    model_.embedding.read(parallel_, ids, hidden);
    return hidden;
  }

  /// The encoder's last hidden states: of the rows that are computed, and as a padded batch [B, S, D] whose padding is
  /// 0.
  struct EncoderStates {
    FloatRows rows;
    at::Tensor padded;
  };

  EncoderStates encodeRows(const at::Tensor& inputIds, const RaggedBatch& batch) {
    const std::vector<std::int64_t> padded = numbersOf(inputIds);
    const std::int64_t size = inputIds.size(1);
    std::vector<std::int64_t> ids;
    ids.reserve(static_cast<std::size_t>(batch.rowCount()));
    for (std::size_t i = 0; i < batch.sequences().size(); ++i) {
      const Sequence& sequence = batch.sequences()[i];
      const auto first = padded.begin() + static_cast<std::int64_t>(i) * size + sequence.first;
      ids.insert(ids.end(), first, first + sequence.length);
    }
    const FloatRows hidden = embed(ids);
    transformer_.encode(hidden, batch);
    const std::vector<std::int64_t> shape{inputIds.size(0), size, hidden.columns};
    const bool isWhole = hidden.rows == shape[0] * shape[1];
    EncoderStates states;
    states.padded = isWhole ? at::empty(shape, at::kFloat) : at::zeros(shape, at::kFloat);
    states.rows = isWhole ? rowsOf(states.padded) : takeHidden(hidden.rows);
    normalizeTo(parallel_, hidden, model_.encoder.norm.const_data_ptr<float>(), model_.epsilon(), states.rows);
    if (!isWhole) scatter(states.rows, batch, states.padded);
    return states;
  }

  /// Writes each sequence's rows to its positions of a padded batch.
  static void scatter(const FloatRows& rows, const RaggedBatch& batch, at::Tensor& padded) {
    auto* to = static_cast<float*>(padded.data_ptr());
    for (std::size_t i = 0; i < batch.sequences().size(); ++i) {
      const Sequence& sequence = batch.sequences()[i];
      const std::int64_t first = static_cast<std::int64_t>(i) * padded.size(1) + sequence.first;
      std::copy_n(rows.data + sequence.row * rows.columns, sequence.length * rows.columns, to + first * rows.columns);
    }
  }

  /// The cross keys and values of some rows of the encoder output.
  std::shared_ptr<const CrossCache> computeCross(const EncoderOutput& encoderOutput, const at::Tensor& encoderRows) {
    const at::Tensor mask =
        encoderRows.defined() ? encoderOutput.attentionMask.index_select(0, encoderRows) : encoderOutput.attentionMask;
    const at::Tensor states = (encoderRows.defined() ? encoderOutput.lastHiddenState.index_select(0, encoderRows)
                                                     : encoderOutput.lastHiddenState)
                                  .contiguous();
    const auto layers = static_cast<std::int64_t>(model_.decoder.layers.size());
    auto cache = std::make_shared<CrossCache>(model_.heads, layers, RaggedBatch(mask));
    const Scratch::Frame frame(scratch_);
    const RaggedBatch& batch = cache->batch();
    const FloatRows rows = takeHidden(batch.rowCount());
    for (std::size_t i = 0; i < batch.sequences().size(); ++i) {
      const Sequence& sequence = batch.sequences()[i];
      const std::int64_t first = static_cast<std::int64_t>(i) * states.size(1) + sequence.first;
      std::copy_n(states.const_data_ptr<float>() + first * rows.columns, sequence.length * rows.columns,
                  rows.data + sequence.row * rows.columns);
    }
    transformer_.writeCross(convert(parallel_, scratch_, model_.format, rows), *cache);
    return cache;
  }

  DecoderOutput decode(const at::Tensor& decoderInputIds, const FusedCache& cache, const LogitsSelection& wanted) {
    const std::int64_t length = decoderInputIds.size(1);
    const FloatRows hidden = embed(numbersOf(decoderInputIds));
    std::shared_ptr<FusedCache> extended = cache.extend(length, parallel_);
    transformer_.decode(hidden, length, *extended);
    DecoderOutput output;
    output.decoderLastHiddenState = finalStates(hidden, decoderInputIds.sizes());
    output.logits = logits(output.decoderLastHiddenState, wanted);
    output.cache = std::move(extended);
    return output;
  }

  /// The decoder's last hidden states [R, T, D].
  at::Tensor finalStates(const FloatRows& hidden, at::IntArrayRef shape) const {
    at::Tensor states = at::empty({shape[0], shape[1], hidden.columns}, at::kFloat);
    normalizeTo(parallel_, hidden, model_.decoder.norm.const_data_ptr<float>(), model_.epsilon(), rowsOf(states));
    return states;
  }

  /// The wanted logits of states [R, T, D].
  at::Tensor logits(const at::Tensor& states, const LogitsSelection& wanted) {
    if (wanted.isEmpty) return {};
    CancellationScope::check();
    const Scratch::Frame frame(scratch_);
    at::Tensor chosen = wanted.positions.defined() ? states.index_select(1, wanted.positions) : states;
    // Hugging Face multiplies what goes into the product, not what comes out.
    if (model_.architecture.scalesDecoderOutputs)
      chosen = chosen * std::pow(static_cast<double>(model_.architecture.dModel), -0.5);
    const Operand rows = convert(parallel_, scratch_, model_.format, rowsOf(chosen));
    const std::int64_t columns = wanted.tokens.defined() ? wanted.tokens.numel() : vocabSize();
    at::Tensor result = buffers_.take({chosen.size(0), chosen.size(1), columns});
    constexpr std::int64_t kMostCachedBytes = std::int64_t{4} << 20;
    const auto finish = static_cast<std::int64_t>(result.nbytes()) > kMostCachedBytes ? kernels::Finish::kStream
                                                                                      : kernels::Finish::kStore;
    if (wanted.tokens.defined()) {
      multiply(parallel_, rows, model_.head->select(numbersOf(wanted.tokens)), rowsOf(result), finish);
    } else {
      multiply(parallel_, rows, *model_.head, rowsOf(result), finish);
    }
    return result;
  }

  Parallel parallel_;
  PackedModel model_;
  Scratch scratch_;
  Transformer transformer_;
  CrossMemo crossMemo_;
  BufferPool buffers_;
};

}  // namespace

std::unique_ptr<Engine> makeFusedEngine(Weights weights, const Architecture& architecture, Precision precision,
                                        int threads) {
  return std::make_unique<FusedEngine>(std::move(weights), architecture, precision, threads);
}

}  // namespace torch_t5
