#include "engine/fused/attention.h"

#include <algorithm>
#include <cstring>

namespace torch_t5 {
namespace {

/// One head's keys and values of consecutive positions.
void writeHead(const Heads& heads, const KeyRows& rows, const Projection& keys, const Projection& values,
               std::int64_t head, float* const* blocks) {
  const std::int64_t column = head * heads.size;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const std::int64_t position = rows.position + i;
    const std::int64_t within = position % heads.blockWidth;
    float* block = blocks[position / heads.blockWidth];
    const float* key = keys.data + (rows.row + i) * keys.stride + column;
    const float* value = values.data + (rows.row + i) * values.stride + column;
    for (std::int64_t d = 0; d < heads.size; ++d) block[d * heads.blockWidth + within] = key[d];
    std::memcpy(block + heads.keyFloats() + within * heads.paddedSize, value,
                static_cast<std::size_t>(heads.size) * sizeof(float));
  }
}

}  // namespace

Heads::Heads(std::int64_t count, std::int64_t size, const kernels::Kernels& kernels)
    : count(count),
      size(size),
      paddedSize((size + kernels.panelWidth - 1) / kernels.panelWidth * kernels.panelWidth),
      blockWidth(kernels.panelWidth) {}

void writeKeys(const Parallel& parallel, const Heads& heads, const std::vector<KeyRows>& rows, const Projection& keys,
               const Projection& values, BlockTable& table) {
  const auto sequences = static_cast<std::int64_t>(rows.size());
  parallel.run(sequences * heads.count, [&](std::int64_t task, std::int64_t) {
    const KeyRows& own = rows[static_cast<std::size_t>(task / heads.count)];
    const std::int64_t head = task % heads.count;
    writeHead(heads, own, keys, values, head, table.of(own.sequence, head));
  });
}

void attend(const Parallel& parallel, Scratch& scratch, const Heads& heads, const std::vector<QueryRows>& rows,
            const Projection& queries, const BlockTable& table, const AttentionSettings& settings,
            const FloatRows& result) {
  std::int64_t mostKeys = 0;
  for (const QueryRows& own : rows) mostKeys = std::max(mostKeys, own.keyCount);
  const Scratch::Frame frame(scratch);
  const std::int64_t scoresPerThread = kernels::attentionScratch(parallel.kernels, mostKeys);
  float* scores = scratch.take<float>(scoresPerThread * parallel.threads);
  const auto sequences = static_cast<std::int64_t>(rows.size());
  parallel.run(sequences * heads.count, [&](std::int64_t task, std::int64_t thread) {
    const QueryRows& own = rows[static_cast<std::size_t>(task / heads.count)];
    const std::int64_t head = task % heads.count;
    kernels::Attention attention;
    attention.queries = queries.data + own.row * queries.stride + head * heads.size;
    attention.queryStride = queries.stride;
    attention.queryCount = own.count;
    attention.blocks = table.of(own.sequence, head);
    attention.keyCount = own.keyCount;
    attention.headSize = heads.size;
    attention.paddedHeadSize = heads.paddedSize;
    if (settings.bias.data != nullptr) attention.bias = settings.bias.data + head * settings.bias.stride;
    attention.firstQuery = own.position;
    attention.isCausal = settings.isCausal;
    attention.mask = own.mask;
    attention.scores = scores + thread * scoresPerThread;
    attention.result = result.data + own.row * result.columns + head * heads.size;
    attention.resultStride = result.columns;
    parallel.kernels.attend(attention);
  });
}

}  // namespace torch_t5
