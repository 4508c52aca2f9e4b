#include "fused/attention.h"

#include <algorithm>
#include <cstring>

namespace torch_t5 {
namespace {

/// Writes keys and values of one head, some positions at a time.
class HeadWriter {
 public:
  HeadWriter(const Heads& heads, const kernels::Kernels& kernels) : heads_(heads), kernels_(kernels) {}

  void write(const NewKeys& rows, const KeyValues& from, std::int64_t head, float* const* blocks) const {
    const std::int64_t column = head * heads_.headWords();
    for (std::int64_t done = 0; done < rows.count;) {
      const std::int64_t position = rows.position + done;
      const std::int64_t within = position % heads_.blockWidth;
      const std::int64_t count = std::min(heads_.blockWidth - within, rows.count - done);
      auto* block = reinterpret_cast<std::uint32_t*>(blocks[position / heads_.blockWidth]);
      const std::int64_t row = rows.row + done;
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
    if (heads_.format == kernels::Format::kFloat32) {
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
        writeHalves(values + i * stride, pair, isFirst);
        ++i;
      }
    }
  }

  /// Two positions share a word.
  void writePair(const std::uint32_t* first, const std::uint32_t* second, std::uint32_t* to) const {
    for (std::int64_t word = 0; word < heads_.headWords(); ++word) {
      to[2 * word] = (first[word] & 0xFFFFU) | (second[word] << 16);
      to[2 * word + 1] = (first[word] >> 16) | (second[word] & 0xFFFF0000U);
    }
  }

  /// The first of them leaves 0 for the other, which may never come.
  void writeHalves(const std::uint32_t* words, std::uint32_t* to, bool isFirst) const {
    for (std::int64_t d = 0; d < heads_.size; ++d) {
      const std::uint32_t half = (words[d / 2] >> (16 * (d % 2))) & 0xFFFFU;
      to[d] = isFirst ? half : (to[d] & 0xFFFFU) | (half << 16);
    }
  }

  const Heads& heads_;
  const kernels::Kernels& kernels_;
};

/// What one thread needs while it attends.
class Workplace {
 public:
  Workplace(Scratch& scratch, const Heads& heads, const kernels::Kernels& kernels, std::int64_t mostKeys,
            std::int64_t threads, bool withBlocks)
      : scoresPerThread_(kernels::attentionScratch(kernels, mostKeys)),
        blocksPerThread_(withBlocks ? heads.blocksFor(mostKeys) : 0),
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

/// Where results go: floats or, instead, bfloat16, which may be in tiles.
struct Context {
  float* floats = nullptr;
  std::uint16_t* narrow = nullptr;
  bool isTiled = false;
  std::int64_t columns = 0;

  /// Sets what of a head's attention says where the results of queries from row `row` on go.
  void place(std::int64_t row, std::int64_t column, kernels::Attention& attention) const {
    attention.resultStride = columns;
    if (floats != nullptr) attention.result = floats + row * columns + column;
    if (narrow == nullptr) return;
    attention.narrowResult = narrow + (isTiled ? kernels::tiledColumn(column) : row * columns + column);
    attention.isNarrowTiled = isTiled;
    attention.firstRow = row;
  }
};

std::int64_t mostKeysOf(const std::vector<QueryRows>& rows) {
  std::int64_t most = 0;
  for (const QueryRows& own : rows) most = std::max(most, own.keyCount);
  return most;
}

void attendInto(const Parallel& parallel, Scratch& scratch, const Heads& heads, const std::vector<QueryRows>& rows,
                const WordRows& queries, const KeyValues& newKeys, BlockTable* table, const AttentionSettings& settings,
                const Context& context) {
  const Scratch::Frame frame(scratch);
  const Workplace workplace(scratch, heads, parallel.kernels, mostKeysOf(rows), parallel.threads,
                            /*withBlocks=*/table == nullptr);
  parallel.run(static_cast<std::int64_t>(rows.size()) * heads.count, [&](std::int64_t task, std::int64_t thread) {
    const QueryRows& own = rows[static_cast<std::size_t>(task / heads.count)];
    const std::int64_t head = task % heads.count;
    float** blocks = table != nullptr ? table->of(own.sequence, head) : workplace.blocks(thread);
    HeadWriter(heads, parallel.kernels).write(own.newKeys, newKeys, head, blocks);
    kernels::Attention attention;
    attention.format = heads.format;
    attention.queries = queries.words + own.row * queries.stride + head * heads.headWords();
    attention.queryStride = queries.stride;
    attention.queryCount = own.count;
    attention.blocks = blocks;
    attention.keyCount = own.keyCount;
    attention.headSize = heads.size;
    attention.paddedHeadSize = heads.paddedSize;
    if (settings.bias.data != nullptr) attention.bias = settings.bias.data + head * settings.bias.stride;
    attention.firstQuery = own.position;
    attention.isCausal = settings.isCausal;
    attention.mask = own.mask;
    attention.scores = workplace.scores(thread);
    context.place(own.row, head * heads.size, attention);
    parallel.kernels.attend(attention);
  });
}

}  // namespace

Heads::Heads(std::int64_t count, std::int64_t size, kernels::Format format, const kernels::Kernels& kernels)
    : count(count),
      size(size),
      paddedSize(kernels::roundUp(size, kernels.panelWidth)),
      blockWidth(kernels.panelWidth),
      format(format) {}

void writeKeys(const Parallel& parallel, const Heads& heads, const std::vector<NewKeys>& sequences,
               const KeyValues& from, BlockTable& table) {
  parallel.run(static_cast<std::int64_t>(sequences.size()) * heads.count, [&](std::int64_t task, std::int64_t) {
    const std::int64_t sequence = task / heads.count;
    const std::int64_t head = task % heads.count;
    HeadWriter(heads, parallel.kernels)
        .write(sequences[static_cast<std::size_t>(sequence)], from, head, table.of(sequence, head));
  });
}

Operand attend(const Parallel& parallel, Scratch& scratch, const Heads& heads, const std::vector<QueryRows>& rows,
               const WordRows& queries, const KeyValues& newKeys, BlockTable* table, const AttentionSettings& settings,
               const ContextShape& shape) {
  const std::int64_t columns = heads.columns();
  const auto attendTo = [&](const Context& context) {
    attendInto(parallel, scratch, heads, rows, queries, newKeys, table, settings, context);
  };
  const bool isNarrow = shape.format == kernels::Format::kBfloat16 && heads.format == shape.format;
  const bool isTiled = kernels::wantTiles(parallel.kernels, shape.format, kernels::wordsPerRow(shape.format, columns));
  if (isNarrow && (!isTiled || heads.size % kernels::kTileBfloat16s == 0)) {
    const NarrowOperand narrow = takeNarrow(scratch, shape.rows, columns, isTiled);
    attendTo({nullptr, narrow.numbers, isTiled, columns});
    return narrow.operand;
  }
  const FloatRows floats{scratch.take<float>(shape.rows * columns), shape.rows, columns};
  attendTo({floats.data, nullptr, false, columns});
  return convert(parallel, scratch, shape.format, floats);
}

}  // namespace torch_t5
