#include "engine/fused/transformer.h"

#include <algorithm>

#include "engine/cancellation.h"

namespace torch_t5 {
namespace {

using kernels::Finish;

const float* floatsOf(const at::Tensor& tensor) { return tensor.const_data_ptr<float>(); }

std::vector<KeyRows> keyRowsOf(const RaggedBatch& batch) {
  std::vector<KeyRows> rows;
  for (const Sequence& sequence : batch.sequences())
    rows.push_back({static_cast<std::int64_t>(rows.size()), sequence.row, sequence.length, 0});
  return rows;
}

/// Positions `position` to `position + length` of `count` sequences.
std::vector<KeyRows> keyRowsOf(std::int64_t count, std::int64_t length, std::int64_t position) {
  std::vector<KeyRows> rows;
  for (std::int64_t row = 0; row < count; ++row) rows.push_back({row, row * length, length, position});
  return rows;
}

/// Each sequence's queries attend to its own keys up to the last that was written.
std::vector<QueryRows> selfQueriesOf(const std::vector<KeyRows>& keys) {
  std::vector<QueryRows> queries;
  for (const KeyRows& own : keys)
    queries.push_back({own.row, own.count, own.position, own.sequence, own.position + own.count, nullptr});
  return queries;
}

/// Each decoded row's queries attend to the whole of a source.
QueryRows crossQueriesOf(const KeyRows& row, std::int64_t source, const RaggedBatch& batch) {
  const Sequence& sequence = batch.sequences()[static_cast<std::size_t>(source)];
  return {row.row, row.count, row.position, source, sequence.length, sequence.mask};
}

}  // namespace

FloatRows Transformer::takeFloats(std::int64_t rows, std::int64_t columns) {
  return {scratch_.take<float>(rows * columns), rows, columns};
}

/// Room for the keys and values of one layer.
BlockTable Transformer::takeTable(const std::vector<KeyRows>& sequences) {
  const Heads& heads = model_.heads;
  std::int64_t mostBlocks = 0;
  std::int64_t blocks = 0;
  for (const KeyRows& sequence : sequences) {
    mostBlocks = std::max(mostBlocks, heads.blocksFor(sequence.count));
    blocks += heads.blocksFor(sequence.count);
  }
  float* memory = scratch_.take<float>(blocks * heads.count * heads.blockFloats());
  BlockTable table(static_cast<std::int64_t>(sequences.size()), heads.count, mostBlocks);
  for (const KeyRows& sequence : sequences) {
    for (std::int64_t head = 0; head < heads.count; ++head) {
      float** own = table.of(sequence.sequence, head);
      for (std::int64_t block = 0; block < heads.blocksFor(sequence.count); ++block) {
        own[block] = memory;
        memory += heads.blockFloats();
      }
    }
  }
  return table;
}

void Transformer::encode(const FloatRows& hidden, const RaggedBatch& batch) {
  const Scratch::Frame frame(scratch_);
  const std::vector<KeyRows> keys = keyRowsOf(batch);
  std::vector<QueryRows> queries = selfQueriesOf(keys);
  for (std::size_t i = 0; i < queries.size(); ++i) queries[i].mask = batch.sequences()[i].mask;
  BlockTable table = takeTable(keys);
  for (const PackedLayer& layer : model_.encoder.layers) {
    attendToSelf(layer, hidden, keys, queries, table, {layer.bias->reaching(batch.longest()), /*isCausal=*/false});
    feedForward(layer, hidden);
  }
}

void Transformer::decode(const FloatRows& hidden, std::int64_t length, const CrossSource& source) {
  const Scratch::Frame frame(scratch_);
  const std::vector<KeyRows> keys = keyRowsOf(hidden.rows / length, length, 0);
  const std::vector<QueryRows> queries = selfQueriesOf(keys);
  std::vector<QueryRows> crossQueries;
  for (const KeyRows& row : keys) crossQueries.push_back(crossQueriesOf(row, row.sequence, source.batch));
  BlockTable table = takeTable(keys);
  BlockTable crossTable = takeTable(keyRowsOf(source.batch));
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    const PackedCross& cross = model_.decoder.cross[i];
    attendToSelf(layer, hidden, keys, queries, table, {layer.bias->reaching(length), /*isCausal=*/true});
    writeCrossLayer(cross, source.rows, source.batch, crossTable);
    attendToSource(cross, hidden, crossQueries, crossTable);
    feedForward(layer, hidden);
  }
}

void Transformer::decode(const FloatRows& hidden, std::int64_t length, const FusedCache& cache) {
  const std::vector<KeyRows> keys = keyRowsOf(cache.rows(), length, cache.position() - length);
  const std::vector<QueryRows> queries = selfQueriesOf(keys);
  std::vector<QueryRows> crossQueries;
  for (std::size_t i = 0; i < keys.size(); ++i)
    crossQueries.push_back(crossQueriesOf(keys[i], cache.sources()[i], cache.cross().batch()));
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    const auto number = static_cast<std::int64_t>(i);
    BlockTable table = cache.table(number);
    attendToSelf(layer, hidden, keys, queries, table, {layer.bias->reaching(cache.position()), /*isCausal=*/true});
    attendToSource(model_.decoder.cross[i], hidden, crossQueries, cache.cross().table(number));
    feedForward(layer, hidden);
  }
}

void Transformer::writeCross(const Operand& rows, const CrossCache& cache) {
  for (std::size_t i = 0; i < model_.decoder.cross.size(); ++i) {
    BlockTable table = cache.table(static_cast<std::int64_t>(i));
    writeCrossLayer(model_.decoder.cross[i], rows, cache.batch(), table);
  }
}

void Transformer::writeCrossLayer(const PackedCross& cross, const Operand& rows, const RaggedBatch& batch,
                                  BlockTable& table) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const std::int64_t columns = model_.heads.columns();
  const FloatRows keyValue = takeFloats(rows.rows, 2 * columns);
  multiply(parallel_, rows, cross.keyValue, keyValue);
  writeKeys(parallel_, model_.heads, keyRowsOf(batch), Projection::of(keyValue, 0), Projection::of(keyValue, columns),
            table);
}

void Transformer::attendToSelf(const PackedLayer& layer, const FloatRows& hidden, const std::vector<KeyRows>& keys,
                               const std::vector<QueryRows>& queries, BlockTable& table,
                               const AttentionSettings& settings) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const Heads& heads = model_.heads;
  const std::int64_t columns = heads.columns();
  const FloatRows queryKeyValue = takeFloats(hidden.rows, 3 * columns);
  const FloatRows context = takeFloats(hidden.rows, columns);
  const Operand normal =
      normalize(parallel_, scratch_, model_.format, hidden, floatsOf(layer.selfNorm), model_.epsilon());
  multiply(parallel_, normal, layer.queryKeyValue, queryKeyValue);
  writeKeys(parallel_, heads, keys, Projection::of(queryKeyValue, columns), Projection::of(queryKeyValue, 2 * columns),
            table);
  attend(parallel_, scratch_, heads, queries, Projection::of(queryKeyValue, 0), table, settings, context);
  multiply(parallel_, convert(parallel_, scratch_, model_.format, context), layer.selfOutput, hidden, Finish::kAdd);
}

void Transformer::attendToSource(const PackedCross& cross, const FloatRows& hidden,
                                 const std::vector<QueryRows>& queries, const BlockTable& table) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const Heads& heads = model_.heads;
  const FloatRows query = takeFloats(hidden.rows, heads.columns());
  const FloatRows context = takeFloats(hidden.rows, heads.columns());
  const Operand normal = normalize(parallel_, scratch_, model_.format, hidden, floatsOf(cross.norm), model_.epsilon());
  multiply(parallel_, normal, cross.query, query);
  attend(parallel_, scratch_, heads, queries, Projection::of(query, 0), table, /*settings=*/{}, context);
  multiply(parallel_, convert(parallel_, scratch_, model_.format, context), cross.output, hidden, Finish::kAdd);
}

void Transformer::feedForward(const PackedLayer& layer, const FloatRows& hidden) {
  // Not all rows at once, so that what is between the two products stays in the caches.
  constexpr std::int64_t kRowsAtOnce = 256;
  const std::int64_t parts = (hidden.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const Architecture& architecture = model_.architecture;
  const Finish finish = architecture.isGated ? Finish::kGate : Finish::kActivate;
  for (std::int64_t part = 0; part < parts; ++part) {
    CancellationScope::check();
    const Scratch::Frame frame(scratch_);
    const std::int64_t first = hidden.rows * part / parts;
    const FloatRows rows = hidden.narrow(first, hidden.rows * (part + 1) / parts - first);
    const FloatRows inner = takeFloats(rows.rows, architecture.dFf);
    const Operand normal =
        normalize(parallel_, scratch_, model_.format, rows, floatsOf(layer.feedForwardNorm), model_.epsilon());
    multiply(parallel_, normal, layer.feedForwardInput, inner, finish, architecture.activation);
    multiply(parallel_, convert(parallel_, scratch_, model_.format, inner), layer.feedForwardOutput, rows,
             Finish::kAdd);
  }
}

}  // namespace torch_t5
