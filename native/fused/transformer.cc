#include "fused/transformer.h"

#include <algorithm>
#include <utility>

#include "core/cancellation.h"
#include "core/interlude.h"
#include "fused/sections.h"

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

/// The queries of causal self-attention: all positions of each sequence.
std::vector<SequenceQueries> decoderQueries(std::span<const std::int64_t> lengths) {
  std::vector<SequenceQueries> queries;
  std::int64_t row = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::int64_t length = lengths[i];
    queries.push_back({row, length, 0, static_cast<std::int64_t>(i), length, nullptr, {row, length, 0}});
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
      queries.push_back({row, length, position, index, position + length, nullptr, {row, length, position}});
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
    for (const SequenceGroup& group : groups) {
      InterludeScope::offer();
      selfAttention(layer, group, /*table=*/nullptr, {layer.bias->upTo(batch.maxLength()), /*isCausal=*/false});
      feedForward(layer, group.hidden);
    }
  }
}

void Transformer::decode(const FloatRows& hidden, std::span<const std::int64_t> lengths,
                         const EncoderRows& encoderRows) {
  const std::vector<SequenceGroup> groups = groupSequences(hidden, decoderQueries(lengths));
  const std::int64_t maxLength = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  const std::vector<NewPositions> encoderPositions = newPositionsOf(encoderRows.batch);
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    const PackedCrossAttention& cross = model_.decoder.cross[i];
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectCrossKeyValue(cross, encoderRows.rows);
    for (const SequenceGroup& group : groups) {
      InterludeScope::offer();
      selfAttention(layer, group, /*table=*/nullptr, {layer.bias->upTo(maxLength), /*isCausal=*/true});
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

void Transformer::decode(const FloatRows& hidden, std::span<const NewCachePositions> caches) {
  const std::vector<SequenceGroup> groups = groupSequences(hidden, decoderQueries(caches));
  const CrossCaches crossCaches(caches);
  std::int64_t maxPositions = 0;
  for (const auto& [cache, length] : caches) maxPositions = std::max(maxPositions, cache.positions());
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    BlockTable table = selfBlockTable(caches, static_cast<std::int64_t>(i), model_.heads);
    BlockTable crossTable = crossCaches.blockTable(static_cast<std::int64_t>(i), model_.heads);
    for (const SequenceGroup& group : groups) {
      InterludeScope::offer();
      selfAttention(layer, group, &table, {layer.bias->upTo(maxPositions), /*isCausal=*/true});
      std::vector<SequenceQueries> queries;
      for (const SequenceQueries& sequence : group.sequences) queries.push_back(crossCaches.toCrossQueries(sequence));
      crossAttention(model_.decoder.cross[i], group.hidden, queries, /*keyValue=*/{}, &crossTable);
      feedForward(layer, group.hidden);
    }
  }
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
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectCrossKeyValue(model_.decoder.cross[i], rows);
    BlockTable table(static_cast<std::int64_t>(positions.size()), model_.heads.count, maxBlocks);
    std::int64_t first = 0;
    for (const auto& cache : caches) {
      cache->writeBlocks(static_cast<std::int64_t>(i), table, first);
      first += static_cast<std::int64_t>(cache->batch().sequences().size());
    }
    writeKeyValues(executor_, model_.heads, positions, {keyValue, keyValue.from(model_.heads.words())}, table);
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
