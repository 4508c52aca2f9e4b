// How many blocks the host launches of each kernel of a decoder step. Not stated here are the kernels with a block per
// row (embed, normalize, addNorm, addNormalize, choose) and those with one per head and row (selfAttention,
// crossAttention). The other kernels stride over their grid, so that any number of blocks is right.
#pragma once

#include <algorithm>

#include "aten/kernels/launch_sizes.h"

namespace torch_t5 {

constexpr int blocksFor(int count, int countPerBlock) { return (count + countPerBlock - 1) / countPerBlock; }

/// `columns`: of the output.
constexpr int normLinearBlocks(int columns) { return blocksFor(columns, kLinearThreads / kLanes * kNormLinearColumns); }

/// `rows`: the kernels' ROWS.
constexpr int normFeedForwardBlocks(int dFf, bool isGated, int rows) {
  const int columns = std::min(kFeedForwardColumns, kLanes / rows) / (isGated ? 2 : 1);
  return blocksFor(dFf, kLinearThreads / kLanes * columns);
}

constexpr int linearAddBlocks(int dModel) {
  const int split = dModel < kSmallModel ? kSplitOfSmallModel : kSplitOfLargeModel;
  return blocksFor(dModel, kLinearAddThreads / kLanes / split * kLinearAddColumns);
}

/// Of lmHead and normArgmax. Each warp multiplies several times, so that it loads weights while it adds up the sums of
/// others.
constexpr int lmHeadBlocks(int vocabSize, int rows) {
  constexpr int kMostBlocks = 528;  // 4 for each multiprocessor of an H100
  return std::min(blocksFor(vocabSize, kLinearThreads / kLanes * std::min(kLmHeadColumns, kLanes / rows)), kMostBlocks);
}

/// Blocks in y, for each row.
constexpr int activateBlocks(int dFf) { return blocksFor(dFf, kRowThreads * 4); }

/// `count`: elements.
constexpr int scaleStatesBlocks(int count) { return blocksFor(count, kRowThreads * 4); }

}  // namespace torch_t5
