#include "engine/fused/attention.h"

#include <algorithm>
#include <cstring>

namespace torch_t5 {
namespace {

/// One head's keys and values of consecutive positions.
void writeHead(const Heads& heads, const NewKeys& rows, const KeyValues& from, std::int64_t head,
               float* const* blocks) {
  const std::int64_t column = head * heads.size;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const std::int64_t position = rows.position + i;
    const std::int64_t within = position % heads.blockWidth;
    float* block = blocks[position / heads.blockWidth];
    const float* key = from.keys.data + (rows.row + i) * from.keys.stride + column;
    const float* value = from.values.data + (rows.row + i) * from.values.stride + column;
    for (std::int64_t d = 0; d < heads.size; ++d) block[d * heads.blockWidth + within] = key[d];
    std::memcpy(block + heads.keyFloats() + within * heads.paddedSize, value,
                static_cast<std::size_t>(heads.size) * sizeof(float));
  }
}

/// What one thread needs while it attends.
class Workplace {
 public:
  Workplace(Scratch& scratch, const Heads& heads, const kernels::Kernels& kernels, std::int64_t mostKeys,
            std::int64_t threads, bool withBlocks)
      : scoresPerThread_(kernels::attentionScratch(kernels, mostKeys)),
        blocksPerThread_(withBlocks ? heads.blocksFor(mostKeys) : 0),
        scores_(scratch.take<float>(scoresPerThread_ * threads)),
        blocks_(scratch.take<float*>(blocksPerThread_ * threads)) {
    float* memory = scratch.take<float>(blocksPerThread_ * threads * heads.blockFloats());
    for (std::int64_t block = 0; block < blocksPerThread_ * threads; ++block)
      blocks_[block] = memory + block * heads.blockFloats();
  }

  float* scores(std::int64_t thread) const { return scores_ + thread * scoresPerThread_; }
  float** blocks(std::int64_t thread) const { return blocks_ + thread * blocksPerThread_; }

 private:
  std::int64_t scoresPerThread_;
  std::int64_t blocksPerThread_;
  float* scores_;
  float** blocks_;
};

std::int64_t mostKeysOf(const std::vector<QueryRows>& rows) {
  std::int64_t most = 0;
  for (const QueryRows& own : rows) most = std::max(most, own.keyCount);
  return most;
}

}  // namespace

Heads::Heads(std::int64_t count, std::int64_t size, const kernels::Kernels& kernels)
    : count(count),
      size(size),
      paddedSize((size + kernels.panelWidth - 1) / kernels.panelWidth * kernels.panelWidth),
      blockWidth(kernels.panelWidth) {}

void writeKeys(const Parallel& parallel, const Heads& heads, const std::vector<NewKeys>& sequences,
               const KeyValues& from, BlockTable& table) {
  parallel.run(static_cast<std::int64_t>(sequences.size()) * heads.count, [&](std::int64_t task, std::int64_t) {
    const std::int64_t sequence = task / heads.count;
    const std::int64_t head = task % heads.count;
    writeHead(heads, sequences[static_cast<std::size_t>(sequence)], from, head, table.of(sequence, head));
  });
}

void attend(const Parallel& parallel, Scratch& scratch, const Heads& heads, const std::vector<QueryRows>& rows,
            const Projection& queries, const KeyValues& newKeys, BlockTable* table, const AttentionSettings& settings,
            const FloatRows& result) {
  const Scratch::Frame frame(scratch);
  const Workplace workplace(scratch, heads, parallel.kernels, mostKeysOf(rows), parallel.threads,
                            /*withBlocks=*/table == nullptr);
  parallel.run(static_cast<std::int64_t>(rows.size()) * heads.count, [&](std::int64_t task, std::int64_t thread) {
    const QueryRows& own = rows[static_cast<std::size_t>(task / heads.count)];
    const std::int64_t head = task % heads.count;
    float** blocks = table != nullptr ? table->of(own.sequence, head) : workplace.blocks(thread);
    writeHead(heads, own.newKeys, newKeys, head, blocks);
    kernels::Attention attention;
    attention.queries = queries.data + own.row * queries.stride + head * heads.size;
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
    attention.result = result.data + own.row * result.columns + head * heads.size;
    attention.resultStride = result.columns;
    parallel.kernels.attend(attention);
  });
}

}  // namespace torch_t5
