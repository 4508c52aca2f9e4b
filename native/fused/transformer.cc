#include "fused/transformer.h"

#include <algorithm>

#include "core/cancellation.h"

namespace torch_t5 {
namespace {

using kernels::Finish;

/// Rows that go through a layer before the next ones do: what is between its products stays in the caches.
constexpr std::int64_t kRowsAtOnce = 256;

const float* floatsOf(const at::Tensor& tensor) { return tensor.const_data_ptr<float>(); }

std::vector<NewKeys> keysOf(const RaggedBatch& batch) {
  std::vector<NewKeys> keys;
  for (const Sequence& sequence : batch.sequences()) keys.push_back({sequence.row, sequence.length, 0});
  return keys;
}

/// Positions `position` to `position + length` of `count` sequences, which attend to all up to themselves.
std::vector<QueryRows> decoderQueries(std::int64_t count, std::int64_t length, std::int64_t position) {
  std::vector<QueryRows> queries;
  for (std::int64_t i = 0; i < count; ++i)
    queries.push_back({i * length, length, position, i, position + length, nullptr, {i * length, length, position}});
  return queries;
}

/// The same rows, attending to the whole of a sequence of the source.
QueryRows toSourceRows(QueryRows queries, std::int64_t source, const RaggedBatch& batch) {
  const Sequence& sequence = batch.sequences()[static_cast<std::size_t>(source)];
  queries.sequence = source;
  queries.keyCount = sequence.length;
  queries.mask = sequence.mask;
  queries.newKeys = {};
  return queries;
}

}  // namespace

std::vector<Transformer::Group> Transformer::groupsOf(const FloatRows& hidden,
                                                      const std::vector<QueryRows>& queries) const {
  std::vector<Group> groups;
  std::int64_t first = 0;  // row of the group
  for (const QueryRows& own : queries) {
    if (groups.empty() || own.row + own.count - first > kRowsAtOnce) {
      first = own.row;
      groups.emplace_back();
    }
    Group& group = groups.back();
    group.hidden = hidden.narrow(first, own.row + own.count - first);
    QueryRows& moved = group.queries.emplace_back(own);
    moved.row -= first;
    moved.newKeys.row -= first;
  }
  return groups;
}

void Transformer::encode(const FloatRows& hidden, const RaggedBatch& batch) {
  std::vector<QueryRows> queries;
  for (const Sequence& sequence : batch.sequences())
    queries.push_back(
        {sequence.row, sequence.length, 0, 0, sequence.length, sequence.mask, {sequence.row, sequence.length, 0}});
  const std::vector<Group> groups = groupsOf(hidden, queries);
  for (const PackedLayer& layer : model_.encoder.layers) {
    const Bias bias = layer.bias->reaching(batch.longest());
    for (const Group& group : groups) {
      attendToSelf(layer, group, /*table=*/nullptr, {bias, /*isCausal=*/false});
      feedForward(layer, group.hidden);
    }
  }
}

void Transformer::decode(const FloatRows& hidden, std::int64_t length, const CrossSource& source) {
  const std::vector<Group> groups = groupsOf(hidden, decoderQueries(hidden.rows / length, length, 0));
  const std::vector<NewKeys> sourceKeys = keysOf(source.batch);
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    const PackedCross& cross = model_.decoder.cross[i];
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectSource(cross, source.rows);
    for (const Group& group : groups) {
      attendToSelf(layer, group, /*table=*/nullptr, {layer.bias->reaching(length), /*isCausal=*/true});
      std::vector<QueryRows> queries;
      for (const QueryRows& own : group.queries) {
        queries.push_back(toSourceRows(own, own.sequence, source.batch));
        queries.back().newKeys = sourceKeys[static_cast<std::size_t>(own.sequence)];
      }
      attendToSource(cross, group, queries, keyValue, /*table=*/nullptr);
      feedForward(layer, group.hidden);
    }
  }
}

void Transformer::decode(const FloatRows& hidden, std::int64_t length, const FusedCache& cache) {
  const std::vector<Group> groups = groupsOf(hidden, decoderQueries(cache.rows(), length, cache.position() - length));
  for (std::size_t i = 0; i < model_.decoder.layers.size(); ++i) {
    const PackedLayer& layer = model_.decoder.layers[i];
    BlockTable table = cache.table(static_cast<std::int64_t>(i));
    BlockTable crossTable = cache.cross().table(static_cast<std::int64_t>(i));
    for (const Group& group : groups) {
      attendToSelf(layer, group, &table, {layer.bias->reaching(cache.position()), /*isCausal=*/true});
      std::vector<QueryRows> queries;
      for (const QueryRows& own : group.queries)
        queries.push_back(
            toSourceRows(own, cache.sources()[static_cast<std::size_t>(own.sequence)], cache.cross().batch()));
      attendToSource(model_.decoder.cross[i], group, queries, /*keyValue=*/{}, &crossTable);
      feedForward(layer, group.hidden);
    }
  }
}

void Transformer::writeCross(const Operand& rows, const CrossCache& cache) {
  for (std::size_t i = 0; i < model_.decoder.cross.size(); ++i) {
    const Scratch::Frame frame(scratch_);
    const WordRows keyValue = projectSource(model_.decoder.cross[i], rows);
    BlockTable table = cache.table(static_cast<std::int64_t>(i));
    writeKeys(parallel_, model_.heads, keysOf(cache.batch()), {keyValue, keyValue.from(model_.heads.words())}, table);
  }
}

/// The keys and values that a layer makes of the encoder's rows.
WordRows Transformer::projectSource(const PackedCross& cross, const Operand& rows) {
  CancellationScope::check();
  return multiplyToWords(parallel_, scratch_, rows, cross.keyValue, model_.heads.format);
}

void Transformer::attendToSelf(const PackedLayer& layer, const Group& group, BlockTable* table,
                               const AttentionSettings& settings) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const FloatRows& hidden = group.hidden;
  const Operand normal =
      normalize(parallel_, scratch_, model_.format, hidden, floatsOf(layer.selfNorm), model_.epsilon());
  const WordRows projected = multiplyToWords(parallel_, scratch_, normal, layer.queryKeyValue, model_.heads.format);
  const std::int64_t words = model_.heads.words();
  const Operand context =
      attend(parallel_, scratch_, model_.heads, group.queries, projected,
             {projected.from(words), projected.from(2 * words)}, table, settings, {model_.format, hidden.rows});
  multiply(parallel_, context, layer.selfOutput, hidden, Finish::kAdd);
}

void Transformer::attendToSource(const PackedCross& cross, const Group& group, const std::vector<QueryRows>& queries,
                                 const WordRows& keyValue, BlockTable* table) {
  CancellationScope::check();
  const Scratch::Frame frame(scratch_);
  const FloatRows& hidden = group.hidden;
  const Operand normal = normalize(parallel_, scratch_, model_.format, hidden, floatsOf(cross.norm), model_.epsilon());
  const WordRows query = multiplyToWords(parallel_, scratch_, normal, cross.query, model_.heads.format);
  const Operand context =
      attend(parallel_, scratch_, model_.heads, queries, query, {keyValue, keyValue.from(model_.heads.words())}, table,
             /*settings=*/{}, {model_.format, hidden.rows});
  multiply(parallel_, context, cross.output, hidden, Finish::kAdd);
}

void Transformer::feedForward(const PackedLayer& layer, const FloatRows& hidden) {
  const std::int64_t parts = (hidden.rows + kRowsAtOnce - 1) / kRowsAtOnce;  // more than 1 where one sequence is longer
  const Architecture& architecture = model_.architecture;
  const Finish finish = architecture.isGated ? Finish::kGate : Finish::kActivate;
  for (std::int64_t part = 0; part < parts; ++part) {
    CancellationScope::check();
    const Scratch::Frame frame(scratch_);
    const std::int64_t first = hidden.rows * part / parts;
    const FloatRows rows = hidden.narrow(first, hidden.rows * (part + 1) / parts - first);
    const Operand normal =
        normalize(parallel_, scratch_, model_.format, rows, floatsOf(layer.feedForwardNorm), model_.epsilon());
    const Operand inner = multiplyToOperand(parallel_, scratch_, normal, layer.feedForwardInput, architecture.dFf,
                                            finish, architecture.activation);
    multiply(parallel_, inner, layer.feedForwardOutput, rows, Finish::kAdd);
  }
}

}  // namespace torch_t5
