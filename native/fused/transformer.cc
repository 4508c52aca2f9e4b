#include "fused/transformer.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/cancellation.h"
#include "core/interlude.h"
#include "fused/sections.h"

namespace torch_t5 {
namespace {

using kernels::Epilogue;

const float* floatsOf(const at::Tensor& tensor) { return tensor.const_data_ptr<float>(); }

std::vector<NewPositions> newPositionsOf(const RaggedBatch& batch) {
  std::vector<NewPositions> positions;
  for (const Sequence& sequence : batch.sequences()) positions.push_back({sequence.row, sequence.length, 0});
  return positions;
}

/// The queries of causal self-attention: all positions of each sequence.
std::vector<SequenceQueries> decoderQueries(std::span<const std::int64_t> lengths) {
  std::vector<SequenceQueries> queries;
  std::int64_t row = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::int64_t length = lengths[i];
    queries.push_back({row, length, 0, static_cast<std::int64_t>(i), length, nullptr, {row, length, 0}, row});
    row += length;
  }
  return queries;
}

/// The queries of causal self-attention: the new positions of each row of the caches.
std::vector<SequenceQueries> decoderQueries(std::span<const NewCachePositions> caches) {
  std::vector<SequenceQueries> queries;
  std::int64_t row = 0;
  for (const auto& [cache, length] : caches) {
    const std::int64_t position = cache.positions() - length;
    for (std::int64_t i = 0; i < cache.rows(); ++i, row += length) {
      const auto index = static_cast<std::int64_t>(queries.size());
      queries.push_back({row, length, position, index, position + length, nullptr, {row, length, position}, row});
    }
  }
  return queries;
}

/// The cross keys and values that the rows of some caches read, each once.
class CrossCaches {
 public:
  explicit CrossCaches(std::span<const NewCachePositions> caches) {
    for (const auto& [cache, length] : caches) {
      const std::int64_t first = firstOf(cache.cross());
      for (const std::int64_t source : cache.sources()) {
        tableIndices_.push_back(first + source);
        sequences_.push_back(&cache.cross().batch().sequences()[static_cast<std::size_t>(source)]);
      }
    }
  }

  /// The cross-attention queries of the row whose self-attention queries are given.
  SequenceQueries toCrossQueries(SequenceQueries queries) const {
    const auto row = static_cast<std::size_t>(queries.tableIndex);
    queries.tableIndex = tableIndices_[row];
    queries.keyCount = sequences_[row]->length;
    queries.mask = sequences_[row]->mask;
    queries.newPositions = {};
    return queries;
  }

  BlockTable blockTable(std::int64_t layer, const HeadLayout& heads) const {
    BlockTable table(count_, heads.count, maxBlocks_);
    for (const auto& [cache, first] : caches_) cache->writeBlocks(layer, table, first);
    return table;
  }

 private:
  /// The table index of the cache's first sequence.
  std::int64_t firstOf(const CrossKvCache& cache) {
    for (const auto& [known, first] : caches_) {
      if (known == &cache) return first;
    }
    const std::int64_t first = count_;
    caches_.emplace_back(&cache, first);
    count_ += static_cast<std::int64_t>(cache.batch().sequences().size());
    maxBlocks_ = std::max(maxBlocks_, cache.maxBlocks());
    return first;
  }

  std::vector<std::pair<const CrossKvCache*, std::int64_t>> caches_;  // with the table index of the first sequence
  std::int64_t count_ = 0;                                            // sequences
  std::int64_t maxBlocks_ = 0;
  std::vector<std::int64_t> tableIndices_;  // of each row
  std::vector<const Sequence*> sequences_;  // of each row
};

BlockTable selfBlockTable(std::span<const NewCachePositions> caches, std::int64_t layer, const HeadLayout& heads) {
  std::int64_t rows = 0;
  std::int64_t maxBlocks = 0;
  for (const auto& [cache, length] : caches) {
    rows += cache.rows();
    maxBlocks = std::max(maxBlocks, cache.maxBlocks());
  }
  BlockTable table(rows, heads.count, maxBlocks);
  std::int64_t first = 0;
  for (const auto& [cache, length] : caches) {
    cache.writeBlocks(layer, table, first);
    first += cache.rows();
  }
  return table;
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
    if (groups.empty() || sequence.row + sequence.count - first > executor_.blocks.layerRows) {
      first = sequence.row;
      groups.emplace_back();
    }
    SequenceGroup& group = groups.back();
    group.hidden = hidden.slice(first, sequence.row + sequence.count - first);
    SequenceQueries& moved = group.sequences.emplace_back(sequence);
    moved.row -= first;
    moved.resultRow -= first;
    moved.newPositions.row -= first;
  }
  return groups;
}

void Transformer::encode(const FloatRows& hidden, const RaggedBatch& batch) {
  std::vector<SequenceQueries> queries;
  for (const Sequence& sequence : batch.sequences())
    queries.push_back({sequence.row,
                       sequence.length,
                       0,
                       0,
                       sequence.length,
                       sequence.mask,
                       {sequence.row, sequence.length, 0},
                       sequence.row});
  const std::vector<SequenceGroup> groups = groupSequences(hidden, queries);
  for (const PackedLayer& layer : model_.encoder.layers) {
    for (const SequenceGroup& group : groups) {
      InterludeScope::offer();
      selfAttention(layer, group, /*table=*/nullptr, {layer.bias->upTo(batch.maxLength()), /*isCausal=*/false});
      feedForward(layer, group.hidden);
    }
  }
}

Transformer::DecoderRows Transformer::decoderRows(const FloatRows& hidden,
                                                  std::vector<SequenceQueries> sequences) const {
  std::int64_t maxLength = 0;
  for (const SequenceQueries& sequence : sequences) maxLength = std::max(maxLength, sequence.keyCount);
  return {hidden, groupSequences(hidden, sequences), std::move(sequences), maxLength};
}

FloatRows Transformer::decode(const FloatRows& hidden, std::span<const std::int64_t> lengths,
                              const EncoderRows& encoderRows, const SelectedPositions& selected) {
  const DecoderRows rows = decoderRows(hidden, decoderQueries(lengths));
  const std::vector<NewPositions> encoderPositions = newPositionsOf(encoderRows.batch);
  const auto toQueries = [&](const SequenceQueries& sequence) {
    SequenceQueries queries = toCrossQueries(sequence, sequence.tableIndex, encoderRows.batch);
    queries.newPositions = encoderPositions[static_cast<std::size_t>(sequence.tableIndex)];
    return queries;
  };
  return decodeLayers(rows, selected, [&](std::size_t index, auto&& decodeLayer) {
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectCrossKeyValue(model_.decoder.cross[index], encoderRows.rows);
    decodeLayer(LayerKeyValues{/*selfTable=*/nullptr, keyValue, /*crossTable=*/nullptr}, toQueries);
  });
}

FloatRows Transformer::decode(const FloatRows& hidden, std::span<const NewCachePositions> caches,
                              const SelectedPositions& selected) {
  const DecoderRows rows = decoderRows(hidden, decoderQueries(caches));
  const CrossCaches crossCaches(caches);
  const auto toQueries = [&](const SequenceQueries& sequence) { return crossCaches.toCrossQueries(sequence); };
  return decodeLayers(rows, selected, [&](std::size_t index, auto&& decodeLayer) {
    BlockTable table = selfBlockTable(caches, static_cast<std::int64_t>(index), model_.heads);
    BlockTable crossTable = crossCaches.blockTable(static_cast<std::int64_t>(index), model_.heads);
    decodeLayer(LayerKeyValues{&table, /*crossKeyValue=*/{}, &crossTable}, toQueries);
  });
}

/// Calls `withKeyValues(index, decodeLayer)` for each layer, which calls `decodeLayer(keyValues, toCrossQueries)`.
/// `toCrossQueries` turns the queries of a sequence's self-attention into those of its cross-attention.
template <class WithKeyValues>
FloatRows Transformer::decodeLayers(const DecoderRows& rows, const SelectedPositions& selected,
                                    WithKeyValues&& withKeyValues) {
  const bool isSelected = std::any_of(selected.begin(), selected.end(), [](const auto* one) { return one != nullptr; });
  const std::size_t layers = model_.decoder.layers.size();
  for (std::size_t i = 0; i < layers - (isSelected ? 1 : 0); ++i) {
    withKeyValues(i, [&](const LayerKeyValues& keyValues, const auto& toCrossQueries) {
      decodeLayer(i, keyValues, rows, toCrossQueries);
    });
  }
  if (!isSelected) return rows.hidden;
  const SelectedRows states = selectRows(rows, selected);
  withKeyValues(layers - 1, [&](const LayerKeyValues& keyValues, const auto& toCrossQueries) {
    decodeSelected(layers - 1, keyValues, rows, states, toCrossQueries);
  });
  return states.hidden;
}

template <class ToCrossQueries>
void Transformer::decodeLayer(std::size_t index, const LayerKeyValues& keyValues, const DecoderRows& rows,
                              const ToCrossQueries& toCrossQueries) {
  const PackedLayer& layer = model_.decoder.layers[index];
  for (const SequenceGroup& group : rows.groups) {
    InterludeScope::offer();
    selfAttention(layer, group, keyValues.selfTable, {layer.bias->upTo(rows.maxLength), /*isCausal=*/true});
    std::vector<SequenceQueries> queries;
    for (const SequenceQueries& sequence : group.sequences) queries.push_back(toCrossQueries(sequence));
    crossAttention(model_.decoder.cross[index], group.hidden, queries, keyValues);
    feedForward(layer, group.hidden);
  }
}

/// The last layer. The keys and values of self-attention need all rows; whatever follows needs the selected ones.
template <class ToCrossQueries>
void Transformer::decodeSelected(std::size_t index, const LayerKeyValues& keyValues, const DecoderRows& rows,
                                 const SelectedRows& selected, const ToCrossQueries& toCrossQueries) {
  const PackedLayer& layer = model_.decoder.layers[index];
  for (std::size_t i = 0; i < rows.groups.size(); ++i) {
    InterludeScope::offer();
    selfAttentionOf(selected.groups[i], layer, rows.groups[i], keyValues.selfTable,
                    {layer.bias->upTo(rows.maxLength), /*isCausal=*/true});
  }
  for (const SequenceGroup& group : groupSequences(selected.hidden, selected.sequences)) {
    InterludeScope::offer();
    std::vector<SequenceQueries> queries;
    for (const SequenceQueries& sequence : group.sequences) queries.push_back(toCrossQueries(sequence));
    crossAttention(model_.decoder.cross[index], group.hidden, queries, keyValues);
    feedForward(layer, group.hidden);
  }
}

/// Copies the selected rows. Consecutive positions of a sequence are queried together.
Transformer::SelectedRows Transformer::selectRows(const DecoderRows& rows, const SelectedPositions& selected) {
  std::vector<std::vector<std::int64_t>> positions;  // of each sequence
  std::int64_t count = 0;
  for (std::size_t i = 0; i < rows.sequences.size(); ++i) {
    std::vector<std::int64_t>& own = positions.emplace_back();
    if (selected[i] != nullptr) {
      own = *selected[i];
    } else {
      own.resize(static_cast<std::size_t>(rows.sequences[i].count));
      std::iota(own.begin(), own.end(), 0);
    }
    count += static_cast<std::int64_t>(own.size());
  }
  const std::int64_t columns = rows.hidden.columns;
  SelectedRows result{{scratch_.take<float>(count * columns), count, columns}, {}, {}};
  std::int64_t row = 0;  // of the result
  std::size_t index = 0;
  for (const SequenceGroup& group : rows.groups) {
    const std::int64_t first = row;
    SequenceGroup& own = result.groups.emplace_back();
    for (const SequenceQueries& sequence : group.sequences) {
      SequenceQueries& whole = result.sequences.emplace_back(rows.sequences[index]);
      whole.row = whole.resultRow = row;
      whole.count = static_cast<std::int64_t>(positions[index].size());
      for (const std::int64_t position : positions[index]) {
        std::copy_n(group.hidden.data + (sequence.row + position) * columns, columns,
                    result.hidden.data + row * columns);
        const bool continues =
            !own.sequences.empty() && own.sequences.back().tableIndex == sequence.tableIndex &&
            own.sequences.back().position + own.sequences.back().count == sequence.position + position;
        if (!continues) {
          SequenceQueries& part = own.sequences.emplace_back(sequence);
          part.row += position;
          part.position += position;
          part.count = 0;
          part.resultRow = row - first;
        }
        ++own.sequences.back().count;
        ++row;
      }
      ++index;
    }
    own.hidden = result.hidden.slice(first, row - first);
  }
  return result;
}

void Transformer::fillCrossCaches(const Operand& rows, std::span<const std::shared_ptr<const CrossKvCache>> caches) {
  std::vector<NewPositions> positions;
  std::int64_t row = 0;
  std::int64_t maxBlocks = 0;
  for (const auto& cache : caches) {
    for (const Sequence& sequence : cache->batch().sequences())
      positions.push_back({row + sequence.row, sequence.length, 0});
    row += cache->batch().rowCount();
    maxBlocks = std::max(maxBlocks, cache->maxBlocks());
  }
  for (std::size_t i = 0; i < model_.decoder.cross.size(); ++i) {
    InterludeScope::offer();
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectCrossKeyValue(model_.decoder.cross[i], rows);
    BlockTable table(static_cast<std::int64_t>(positions.size()), model_.heads.count, maxBlocks);
    std::int64_t first = 0;
    for (const auto& cache : caches) {
      cache->writeBlocks(static_cast<std::int64_t>(i), table, first);
      first += static_cast<std::int64_t>(cache->batch().sequences().size());
    }
    writeKeyValues(executor_, model_.heads, positions, {keyValue, keyValue.from(model_.heads.words())}, table,
                   /*first=*/0);
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
  attendToSelf(layer, group.sequences, projectQueryKeyValue(layer, group.hidden), table, settings, group.hidden);
}

/// Self-attention of some of the group's rows: `selected` has their states and queries.
void Transformer::selfAttentionOf(SequenceGroup selected, const PackedLayer& layer, const SequenceGroup& group,
                                  BlockTable* table, const AttentionSettings& settings) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const WordRows projected = projectQueryKeyValue(layer, group.hidden);
  if (table != nullptr) {
    // Several queries may read what one of them would write.
    std::vector<NewPositions> positions;
    for (const SequenceQueries& sequence : group.sequences) positions.push_back(sequence.newPositions);
    writeKeyValues(executor_, model_.heads, positions, keyValuesOf(projected), *table,
                   group.sequences.front().tableIndex);
    for (SequenceQueries& queries : selected.sequences) queries.newPositions = {};
  }
  attendToSelf(layer, selected.sequences, projected, table, settings, selected.hidden);
}

/// The queries, keys and values of self-attention, in each row one after another.
WordRows Transformer::projectQueryKeyValue(const PackedLayer& layer, const FloatRows& hidden) {
  const Operand normalized =
      normalize(executor_, scratch_, model_.dataType, hidden, floatsOf(layer.selfNorm), model_.epsilon());
  return multiplyToWords(executor_, scratch_, normalized, layer.queryKeyValue, model_.heads.dataType);
}

/// The keys and values of what `projectQueryKeyValue` returns.
KeyValues Transformer::keyValuesOf(const WordRows& projected) const {
  const std::int64_t words = model_.heads.words();
  return {projected.from(words), projected.from(2 * words)};
}

/// Adds the result of self-attention to `hidden`.
void Transformer::attendToSelf(const PackedLayer& layer, const std::vector<SequenceQueries>& queries,
                               const WordRows& projected, BlockTable* table, const AttentionSettings& settings,
                               const FloatRows& hidden) {
  if (queries.empty()) return;
  const Operand context = attend(executor_, scratch_, model_.heads, queries, projected, keyValuesOf(projected), table,
                                 settings, {model_.dataType, hidden.rows});
  multiply(executor_, context, layer.selfOutput, hidden, Epilogue::kAdd);
}

void Transformer::crossAttention(const PackedCrossAttention& cross, const FloatRows& hidden,
                                 const std::vector<SequenceQueries>& queries, const LayerKeyValues& keyValues) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const Operand normalized =
      normalize(executor_, scratch_, model_.dataType, hidden, floatsOf(cross.norm), model_.epsilon());
  const WordRows query = multiplyToWords(executor_, scratch_, normalized, cross.query, model_.heads.dataType);
  const KeyValues crossKeyValues{keyValues.crossKeyValue, keyValues.crossKeyValue.from(model_.heads.words())};
  const Operand context = attend(executor_, scratch_, model_.heads, queries, query, crossKeyValues,
                                 keyValues.crossTable, /*settings=*/{}, {model_.dataType, hidden.rows});
  multiply(executor_, context, cross.output, hidden, Epilogue::kAdd);
}

void Transformer::feedForward(const PackedLayer& layer, const FloatRows& hidden) {
  // A single sequence of more rows is computed in several parts.
  const std::int64_t parts = (hidden.rows + executor_.blocks.layerRows - 1) / executor_.blocks.layerRows;
  const Architecture& architecture = model_.architecture;
  const Epilogue epilogue = architecture.isGated ? Epilogue::kGate : Epilogue::kActivate;
  forEachSection(parts, 1, [&](std::int64_t part, std::int64_t) {
    const Scratch::Frame frame(scratch_);
    const std::int64_t first = hidden.rows * part / parts;
    const FloatRows rows = hidden.slice(first, hidden.rows * (part + 1) / parts - first);
    const Operand normalized =
        normalize(executor_, scratch_, model_.dataType, rows, floatsOf(layer.feedForwardNorm), model_.epsilon());
    const Operand intermediate = multiplyToOperand(executor_, scratch_, normalized, layer.feedForwardInput,
                                                   architecture.dFf, epilogue, architecture.activation);
    multiply(executor_, intermediate, layer.feedForwardOutput, rows, Epilogue::kAdd);
  });
}

}  // namespace torch_t5
