#include "fused/attention.h"

#include <algorithm>
#include <cstring>

#include "fused/sections.h"

namespace torch_t5 {
namespace {

/// Packs the keys and values of one head into its blocks.
class KeyValueWriter {
 public:
  KeyValueWriter(const HeadLayout& heads, const kernels::Kernels& kernels) : heads_(heads), kernels_(kernels) {}

  void write(const NewPositions& positions, const KeyValues& from, std::int64_t head, float* const* blocks) const {
    const std::int64_t column = head * heads_.headWords();
    for (std::int64_t done = 0; done < positions.count;) {
      const std::int64_t position = positions.position + done;
      const std::int64_t within = position % heads_.blockWidth;
      const std::int64_t count = std::min(heads_.blockWidth - within, positions.count - done);
      auto* block = reinterpret_cast<std::uint32_t*>(blocks[position / heads_.blockWidth]);
      const std::int64_t row = positions.row + done;
      kernels_.transpose(from.keys.words + row * from.keys.stride + column, from.keys.stride, count, heads_.headWords(),
                         block + within, heads_.blockWidth);
      writeValues(from.values.words + row * from.values.stride + column, from.values.stride, count, within,
                  block + heads_.keyWords());
      done += count;
    }
  }

 private:
  void writeValues(const std::uint32_t* values, std::int64_t stride, std::int64_t count, std::int64_t within,
                   std::uint32_t* to) const {
    if (heads_.dataType == kernels::DataType::kFloat32) {
      for (std::int64_t i = 0; i < count; ++i)
        std::memcpy(to + (within + i) * heads_.paddedSize, values + i * stride,
                    static_cast<std::size_t>(heads_.size) * sizeof *to);
      return;
    }
    for (std::int64_t i = 0; i < count;) {
      std::uint32_t* pair = to + (within + i) / 2 * heads_.paddedSize;
      const bool isFirst = (within + i) % 2 == 0;
      if (isFirst && i + 1 < count) {
        writePair(values + i * stride, values + (i + 1) * stride, pair);
        i += 2;
      } else {
        writeHalf(values + i * stride, pair, isFirst);
        ++i;
      }
    }
  }

  /// With bfloat16, two positions share a word of the values.
  void writePair(const std::uint32_t* first, const std::uint32_t* second, std::uint32_t* to) const {
    for (std::int64_t word = 0; word < heads_.headWords(); ++word) {
      to[2 * word] = (first[word] & 0xFFFFU) | (second[word] << 16);
      to[2 * word + 1] = (first[word] >> 16) | (second[word] & 0xFFFF0000U);
    }
  }

  /// Writes one position of a pair. The first position sets the second to 0, because it may never be written.
  void writeHalf(const std::uint32_t* words, std::uint32_t* to, bool isFirst) const {
    for (std::int64_t d = 0; d < heads_.size; ++d) {
      const std::uint32_t half = (words[d / 2] >> (16 * (d % 2))) & 0xFFFFU;
      to[d] = isFirst ? half : (to[d] & 0xFFFFU) | (half << 16);
    }
  }

  const HeadLayout& heads_;
  const kernels::Kernels& kernels_;
};

/// The scores of each thread, and its blocks if there is no table.
class AttentionWorkspace {
 public:
  AttentionWorkspace(Scratch& scratch, const HeadLayout& heads, const kernels::Kernels& kernels, std::int64_t maxKeys,
                     std::int64_t threads, bool withBlocks)
      : scoresPerThread_(kernels::attentionScoresSize(kernels, maxKeys)),
        blocksPerThread_(withBlocks ? heads.blocksFor(maxKeys) : 0),
        scores_(scratch.take<float>(scoresPerThread_ * threads)),
        blocks_(scratch.take<float*>(blocksPerThread_ * threads)) {
    float* memory = scratch.take<float>(blocksPerThread_ * threads * heads.blockWords());
    for (std::int64_t block = 0; block < blocksPerThread_ * threads; ++block)
      blocks_[block] = memory + block * heads.blockWords();
  }

  float* scores(std::int64_t thread) const { return scores_ + thread * scoresPerThread_; }
  float** blocks(std::int64_t thread) const { return blocks_ + thread * blocksPerThread_; }

 private:
  std::int64_t scoresPerThread_;
  std::int64_t blocksPerThread_;
  float* scores_;
  float** blocks_;
};

/// Sets the result of a head's queries: from row `row` and column `column` of the destination on.
void setResult(const Destination& to, std::int64_t row, std::int64_t column, kernels::AttentionArgs& args) {
  args.resultStride = to.columns;
  if (to.floats != nullptr) args.result = to.floats + row * to.columns + column;
  if (to.bf16 == nullptr) return;
  args.bf16Result = to.bf16 + (to.isBf16Tiled ? kernels::tiledColumnOffset(column) : row * to.columns + column);
  args.isBf16ResultTiled = to.isBf16Tiled;
  args.firstRow = row;
}

std::int64_t maxKeyCount(const std::vector<SequenceQueries>& sequences) {
  std::int64_t maximum = 0;
  for (const SequenceQueries& sequence : sequences) maximum = std::max(maximum, sequence.keyCount);
  return maximum;
}

/// Scores of one head that one thread computes at once: they take some milliseconds.
constexpr std::int64_t kScores = std::int64_t{1} << 23;

/// The heads, of all sequences, that are computed at once.
std::int64_t tasksPerSection(const std::vector<SequenceQueries>& sequences, std::int64_t threads) {
  std::int64_t scores = 1;  // of one task
  for (const SequenceQueries& sequence : sequences) scores = std::max(scores, sequence.count * sequence.keyCount);
  return std::max<std::int64_t>(1, kScores / scores) * threads;
}

/// The queries of one part of a long sequence.
std::int64_t queriesAtOnce(std::int64_t keyCount) {
  return std::clamp<std::int64_t>(kScores / std::max<std::int64_t>(keyCount, 1), 64, 512);
}

/// `count` queries from `first` on. `keepsNew`: the new positions have to be written again.
SequenceQueries partOf(const SequenceQueries& sequence, std::int64_t first, std::int64_t count, bool keepsNew) {
  SequenceQueries part = sequence;
  part.row += first;
  part.resultRow += first;
  part.position += first;
  part.count = count;
  if (first > 0 && !keepsNew) part.newPositions = {};
  return part;
}

void attendInto(const Executor& executor, Scratch& scratch, const HeadLayout& heads,
                const std::vector<SequenceQueries>& sequences, const WordRows& queries, const KeyValues& newKeyValues,
                BlockTable* table, const AttentionSettings& settings, const Destination& context) {
  const Scratch::Frame frame(scratch);
  const AttentionWorkspace workspace(scratch, heads, executor.kernels, maxKeyCount(sequences), executor.threads,
                                     /*withBlocks=*/table == nullptr);
  const auto attendHead = [&](std::int64_t task, std::int64_t thread) {
    const SequenceQueries& sequence = sequences[static_cast<std::size_t>(task / heads.count)];
    const std::int64_t head = task % heads.count;
    float** blocks = table != nullptr ? table->blocks(sequence.tableIndex, head) : workspace.blocks(thread);
    KeyValueWriter(heads, executor.kernels).write(sequence.newPositions, newKeyValues, head, blocks);
    kernels::AttentionArgs args;
    args.dataType = heads.dataType;
    args.queries = queries.words + sequence.row * queries.stride + head * heads.headWords();
    args.queryStride = queries.stride;
    args.queryCount = sequence.count;
    args.blocks = blocks;
    args.keyCount = sequence.keyCount;
    args.headSize = heads.size;
    args.paddedHeadSize = heads.paddedSize;
    if (settings.bias.data != nullptr) args.bias = settings.bias.data + head * settings.bias.stride;
    args.firstQuery = sequence.position;
    args.isCausal = settings.isCausal;
    args.mask = sequence.mask;
    args.scores = workspace.scores(thread);
    setResult(context, sequence.resultRow, head * heads.size, args);
    executor.kernels.attend(args);
  };
  const std::int64_t tasks = static_cast<std::int64_t>(sequences.size()) * heads.count;
  forEachSection(tasks, tasksPerSection(sequences, executor.threads), [&](std::int64_t first, std::int64_t count) {
    executor.run(count, [&](std::int64_t task, std::int64_t thread) { attendHead(first + task, thread); });
  });
}

}  // namespace

HeadLayout::HeadLayout(std::int64_t count, std::int64_t size, kernels::DataType dataType,
                       const kernels::Kernels& kernels)
    : count(count),
      size(size),
      paddedSize(kernels::roundUp(size, kernels.panelWidth)),
      blockWidth(kernels.panelWidth),
      dataType(dataType) {}

void writeKeyValues(const Executor& executor, const HeadLayout& heads, const std::vector<NewPositions>& sequences,
                    const KeyValues& from, BlockTable& table, std::int64_t first) {
  executor.run(static_cast<std::int64_t>(sequences.size()) * heads.count, [&](std::int64_t task, std::int64_t) {
    const std::int64_t sequence = task / heads.count;
    const std::int64_t head = task % heads.count;
    KeyValueWriter(heads, executor.kernels)
        .write(sequences[static_cast<std::size_t>(sequence)], from, head, table.blocks(first + sequence, head));
  });
}

Operand attend(const Executor& executor, Scratch& scratch, const HeadLayout& heads,
               const std::vector<SequenceQueries>& sequences, const WordRows& queries, const KeyValues& newKeyValues,
               BlockTable* table, const AttentionSettings& settings, const ContextShape& shape) {
  const std::int64_t columns = heads.columns();
  const auto attendTo = [&](const Destination& context) {
    const SequenceQueries& first = sequences.front();
    const std::int64_t count = queriesAtOnce(first.keyCount);
    if (sequences.size() > 1 || first.count <= count) {
      attendInto(executor, scratch, heads, sequences, queries, newKeyValues, table, settings, context);
      return;
    }
    forEachSection(first.count, count, [&](std::int64_t query, std::int64_t queryCount) {
      // Without a table, the keys and values of earlier parts are gone.
      attendInto(executor, scratch, heads, {partOf(first, query, queryCount, /*keepsNew=*/table == nullptr)}, queries,
                 newKeyValues, table, settings, context);
    });
  };
  const bool isBf16 = shape.dataType == kernels::DataType::kBfloat16 && heads.dataType == shape.dataType;
  const bool isTiled =
      kernels::usesTiles(executor.kernels, shape.dataType, kernels::wordsPerRow(shape.dataType, columns));
  if (isBf16 && (!isTiled || heads.size % kernels::kTileBf16Columns == 0)) {
    const Bf16Operand context = takeBf16Operand(scratch, shape.rows, columns, isTiled);
    attendTo({nullptr, context.elements, isTiled, columns});
    return context.operand;
  }
  const FloatRows floats{scratch.take<float>(shape.rows * columns), shape.rows, columns};
  attendTo({floats.data, nullptr, false, columns});
  return convert(executor, scratch, shape.dataType, floats);
}

}  // namespace torch_t5
