#include "fused/transformer.h"

#include <algorithm>

#include "core/cancellation.h"

namespace torch_t5 {
namespace {

using kernels::Epilogue;

/// A layer computes about this many rows at a time, so that its intermediate results stay in the caches.
constexpr std::int64_t kRowsAtOnce = 256;

const float* floatsOf(const at::Tensor& tensor) { return tensor.const_data_ptr<float>(); }

std::vector<NewPositions> newPositionsOf(const RaggedBatch& batch) {
  std::vector<NewPositions> positions;
  for (const Sequence& sequence : batch.sequences()) positions.push_back({sequence.row, sequence.length, 0});
  return positions;
}

/// The queries of causal self-attention: `length` positions from `position` on, in each of `count` sequences.
std::vector<SequenceQueries> decoderQueries(std::int64_t count, std::int64_t length, std::int64_t position) {
  std::vector<SequenceQueries> queries;
  for (std::int64_t i = 0; i < count; ++i)
    queries.push_back({i * length, length, position, i, position + length, nullptr, {i * length, length, position}});
  return queries;
}

/// The same queries, attending to all positions of sequence `source` of the encoder's batch.
SequenceQueries toCrossQueries(SequenceQueries queries, std::int64_t source, const RaggedBatch& batch) {
  const Sequence& sequence = batch.sequences()[static_cast<std::size_t>(source)];
  queries.tableIndex = source;
  queries.keyCount = sequence.length;
  queries.mask = sequence.mask;
  queries.newPositions = {};
  return queries;
}

}  // namespace

std::vector<Transformer::SequenceGroup> Transformer::groupSequences(
    const FloatRows& hidden, const std::vector<SequenceQueries>& sequences) const {
  std::vector<SequenceGroup> groups;
  std::int64_t first = 0;  // row of the group
  for (const SequenceQueries& sequence : sequences) {
    if (groups.empty() || sequence.row + sequence.count - first > kRowsAtOnce) {
      first = sequence.row;
      groups.emplace_back();
    }
    SequenceGroup& group = groups.back();
    group.hidden = hidden.slice(first, sequence.row + sequence.count - first);
    SequenceQueries& moved = group.sequences.emplace_back(sequence);
    moved.row -= first;
    moved.newPositions.row -= first;
  }
  return groups;
}

void Transformer::encode(const FloatRows& hidden, const RaggedBatch& batch) {
  std::vector<SequenceQueries> queries;
  for (const Sequence& sequence : batch.sequences())
    queries.push_back(
        {sequence.row, sequence.length, 0, 0, sequence.length, sequence.mask, {sequence.row, sequence.length, 0}});
  const std::vector<SequenceGroup> groups = groupSequences(hidden, queries);
  for (const PackedLayer& layer : model_.encoder.layers) {
    const PositionBias bias = layer.bias->upTo(batch.maxLength());
    for (const SequenceGroup& group : groups) {
      selfAttention(layer, group, /*table=*/nullptr, {bias, /*isCausal=*/false});
      feedForward(layer, group.hidden);
    }
  }
}

void Transformer::decode(const FloatRows& hidden, std::int64_t length, const EncoderRows& encoderRows) {
  const std::vector<SequenceGroup> groups = groupSequences(hidden, decoderQueries(hidden.rows / length, length, 0));
  const std::vector<NewPositions> encoderPositions = newPositionsOf(encoderRows.batch);
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    const PackedCrossAttention& cross = model_.decoder.cross[i];
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectCrossKeyValue(cross, encoderRows.rows);
    for (const SequenceGroup& group : groups) {
      selfAttention(layer, group, /*table=*/nullptr, {layer.bias->upTo(length), /*isCausal=*/true});
      std::vector<SequenceQueries> queries;
      for (const SequenceQueries& sequence : group.sequences) {
        queries.push_back(toCrossQueries(sequence, sequence.tableIndex, encoderRows.batch));
        queries.back().newPositions = encoderPositions[static_cast<std::size_t>(sequence.tableIndex)];
      }
      crossAttention(cross, group.hidden, queries, keyValue, /*table=*/nullptr);
      feedForward(layer, group.hidden);
    }
  }
}

void Transformer::decode(const FloatRows& hidden, std::int64_t length, const PagedKvCache& cache) {
  const std::vector<SequenceGroup> groups =
      groupSequences(hidden, decoderQueries(cache.rows(), length, cache.positions() - length));
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    BlockTable table = cache.blockTable(static_cast<std::int64_t>(i));
    BlockTable crossTable = cache.cross().blockTable(static_cast<std::int64_t>(i));
    for (const SequenceGroup& group : groups) {
      selfAttention(layer, group, &table, {layer.bias->upTo(cache.positions()), /*isCausal=*/true});
      std::vector<SequenceQueries> queries;
      for (const SequenceQueries& sequence : group.sequences)
        queries.push_back(toCrossQueries(sequence, cache.sources()[static_cast<std::size_t>(sequence.tableIndex)],
                                         cache.cross().batch()));
      crossAttention(model_.decoder.cross[i], group.hidden, queries, /*keyValue=*/{}, &crossTable);
      feedForward(layer, group.hidden);
    }
  }
}

void Transformer::fillCrossCache(const Operand& rows, const CrossKvCache& cache) {
  for (std::size_t i = 0; i < model_.decoder.cross.size(); ++i) {
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectCrossKeyValue(model_.decoder.cross[i], rows);
    BlockTable table = cache.blockTable(static_cast<std::int64_t>(i));
    writeKeyValues(executor_, model_.heads, newPositionsOf(cache.batch()),
                   {keyValue, keyValue.from(model_.heads.words())}, table);
  }
}

/// The cross keys and values of one layer.
WordRows Transformer::projectCrossKeyValue(const PackedCrossAttention& cross, const Operand& rows) {
  CancellationScope::check();
  return multiplyToWords(executor_, scratch_, rows, cross.keyValue, model_.heads.dataType);
}

void Transformer::selfAttention(const PackedLayer& layer, const SequenceGroup& group, BlockTable* table,
                                const AttentionSettings& settings) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const FloatRows& hidden = group.hidden;
  const Operand normalized =
      normalize(executor_, scratch_, model_.dataType, hidden, floatsOf(layer.selfNorm), model_.epsilon());
  const WordRows projected =
      multiplyToWords(executor_, scratch_, normalized, layer.queryKeyValue, model_.heads.dataType);
  const std::int64_t words = model_.heads.words();
  const Operand context =
      attend(executor_, scratch_, model_.heads, group.sequences, projected,
             {projected.from(words), projected.from(2 * words)}, table, settings, {model_.dataType, hidden.rows});
  multiply(executor_, context, layer.selfOutput, hidden, Epilogue::kAdd);
}

void Transformer::crossAttention(const PackedCrossAttention& cross, const FloatRows& hidden,
                                 const std::vector<SequenceQueries>& queries, const WordRows& keyValue,
                                 BlockTable* table) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const Operand normalized =
      normalize(executor_, scratch_, model_.dataType, hidden, floatsOf(cross.norm), model_.epsilon());
  const WordRows query = multiplyToWords(executor_, scratch_, normalized, cross.query, model_.heads.dataType);
  const Operand context =
      attend(executor_, scratch_, model_.heads, queries, query, {keyValue, keyValue.from(model_.heads.words())}, table,
             /*settings=*/{}, {model_.dataType, hidden.rows});
  multiply(executor_, context, cross.output, hidden, Epilogue::kAdd);
}

void Transformer::feedForward(const PackedLayer& layer, const FloatRows& hidden) {
  // A single sequence of more than `kRowsAtOnce` rows is computed in several parts.
  const std::int64_t parts = (hidden.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const Architecture& architecture = model_.architecture;
  const Epilogue epilogue = architecture.isGated ? Epilogue::kGate : Epilogue::kActivate;
  for (std::int64_t part = 0; part < parts; ++part) {
    CancellationScope::check();
    const Scratch::Frame frame(scratch_);
    const std::int64_t first = hidden.rows * part / parts;
    const FloatRows rows = hidden.slice(first, hidden.rows * (part + 1) / parts - first);
    const Operand normalized =
        normalize(executor_, scratch_, model_.dataType, rows, floatsOf(layer.feedForwardNorm), model_.epsilon());
    const Operand intermediate = multiplyToOperand(executor_, scratch_, normalized, layer.feedForwardInput,
                                                   architecture.dFf, epilogue, architecture.activation);
    multiply(executor_, intermediate, layer.feedForwardOutput, rows, Epilogue::kAdd);
  }
}

}  // namespace torch_t5
