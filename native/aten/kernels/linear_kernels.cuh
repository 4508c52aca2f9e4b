// The linear layers of a step with few rows (ROWS > 0), each with what comes before and after it. Rows that are not in
// use may contain anything; they do not affect others.
#pragma once

#include "aten/kernels/activation.cuh"
#include "aten/kernels/linear_inputs.cuh"
#include "aten/kernels/rank.cuh"

#if ROWS > 0

namespace torch_t5 {
namespace {

/// The weights' order is the order of the columns.
template <int kColumns>
struct Columns {
  int columns;  // of the output

  __device__ int groups() const { return (columns + kColumns - 1) / kColumns; }
  /// The last group may be incomplete; it then multiplies the last matrix row several times.
  __device__ int rowOf(int group, int column) const { return smaller(group * kColumns + column, columns - 1); }
  __device__ float start(int, int, int) const { return 0; }
};

template <int kColumns>
struct ElementOutput : Columns<kColumns> {
  Element* output;  // [ROWS, columns]

  __device__ __forceinline__ void finish(int group, int column, int row, float sum, float, bool isOwner) const {
    const int at = group * kColumns + column;
    if (isOwner && at < this->columns) output[row * this->columns + at] = toElement(sum);
  }
};

template <int kColumns>
struct LogitsOutput : Columns<kColumns> {
  float* logits;  // [ROWS, columns]

  __device__ __forceinline__ void finish(int group, int column, int row, float sum, float, bool isOwner) const {
    const int at = group * kColumns + column;
    if (isOwner && at < this->columns) logits[static_cast<long long>(row) * this->columns + at] = sum;
  }
};

/// Of the logits that a lane computes, all of the same row, only the highest rank.
template <int kColumns>
struct RankOutput : Columns<kColumns> {
  Rank& highest;

  __device__ __forceinline__ void finish(int group, int column, int, float sum, float, bool) const {
    const int at = group * kColumns + column;
    if (at < this->columns) highest = higher(highest, rankOf(sum, at));
  }
};

template <int kColumns>
struct AddedOutput : Columns<kColumns> {
  float* hidden;  // [ROWS, columns]

  /// Read early: it takes as long as a part of the products.
  __device__ __forceinline__ float start(int group, int column, int row) const {
    return hidden[row * D_MODEL + this->rowOf(group, column)];
  }
  __device__ __forceinline__ void finish(int group, int column, int row, float sum, float started, bool isOwner) const {
    const int at = group * kColumns + column;
    if (isOwner && at < D_MODEL) hidden[row * D_MODEL + at] = started + sum;
  }
};

// Matrix rows that a warp multiplies at once: no more than it has lanes for their sums.
constexpr int kFeedForwardRows = smaller(kFeedForwardColumns, kLanes / ROWS);
constexpr int kLmHeadRows = smaller(kLmHeadColumns, kLanes / ROWS);

/// A warp has matrix rows of the gate, then as many of `up`.
struct FeedForwardOutput {
  static constexpr int kColumns = kFeedForwardRows / (GATED ? 2 : 1);  // of the output
  Element* output;                                                     // [ROWS, D_FF]

  __device__ int rowOf(int group, int column) const {
    const bool isUp = column >= kColumns;
    return smaller(group * kColumns + (isUp ? column - kColumns : column), D_FF - 1) + (isUp ? D_FF : 0);
  }
  __device__ float start(int, int, int) const { return 0; }
  __device__ __forceinline__ void finish(int group, int column, int row, float sum, float, bool isOwner) const {
    float value = activation(sum);
    if (GATED) value *= __shfl_xor_sync(kAllLanes, sum, kLanes / 2);  // the upper half of the lanes has `up`
    const int at = group * kColumns + column;
    if (isOwner && column < kColumns && at < D_FF) output[row * D_FF + at] = toElement(value);
  }
};

using NormLinear = ModelDivision<kNormLinearColumns>;
using FeedForward = ModelDivision<kFeedForwardRows>;
using LmHead = ModelDivision<kLmHeadRows>;
constexpr int kAddSplit = D_MODEL < kSmallModel ? kSplitOfSmallModel : kSplitOfLargeModel;
// normArgmax: so that its registers suffice.
constexpr int kHeldNorms = ROWS < 8 ? 2 : ROWS < 16 ? 1 : 0;
constexpr int kArgmaxBlocks = ROWS < 8 || D_MODEL < kSmallModel ? 4 : 3;                     // per multiprocessor
constexpr int kAddTileBytes = ROWS * kTile * static_cast<int>(sizeof(Element)) * kAddSplit;  // of the input rows
using LinearAdd = Division<kLinearAddThreads, kLinearAddColumns,
                           smaller(kQueued / kAddSplit, kInputBytes / kAddTileBytes), kAddSplit>;

}  // namespace

extern "C" {

/// output [ROWS, columns] = round(norm(hidden)) x weight^T. `weight`: [columns, D_MODEL].
__global__ void __launch_bounds__(kLinearThreads, 3)
    normLinear(const float* hidden, const float* norm, const Element* weight, Element* output, int columns) {
  letNextStart();
  constexpr int kStride = strideOf<NormLinear>(D_MODEL);
  __shared__ SharedMemory<NormLinear, kStride> shared;
  __shared__ float sums[kLinearThreads / kLanes][ROWS];
  const ElementOutput<kNormLinearColumns> target{{columns}, output};
  multiply<NormLinear>(shared, weight, D_MODEL, target.groups(), NormInput<kStride>{hidden, norm, sums}, target);
}

/// output [ROWS, D_FF] = activation(x x gate^T), and if GATED times x x up^T, with x = round(norm(hidden)). `weight`:
/// gate, then up [D_FF, D_MODEL].
__global__ void __launch_bounds__(kLinearThreads, 3)
    normFeedForward(const float* hidden, const float* norm, const Element* weight, Element* output) {
  letNextStart();
  constexpr int kStride = strideOf<FeedForward>(D_MODEL);
  __shared__ SharedMemory<FeedForward, kStride> shared;
  __shared__ float sums[kLinearThreads / kLanes][ROWS];
  constexpr int kGroups = ceilDiv(D_FF, FeedForwardOutput::kColumns);
  multiply<FeedForward>(shared, weight, D_MODEL, kGroups, NormInput<kStride>{hidden, norm, sums},
                        FeedForwardOutput{output});
}

/// hidden [ROWS, D_MODEL] += input x weight^T. `input`: [ROWS, inputSize], `weight`: [D_MODEL, inputSize].
__global__ void __launch_bounds__(kLinearAddThreads, 2)
    linearAdd(const Element* input, const Element* weight, float* hidden, int inputSize) {
  letNextStart();
  constexpr int kStride = strideOf<LinearAdd>(larger(HEADS * D_KV, D_FF));
  __shared__ SharedMemory<LinearAdd, kStride> shared;
  const AddedOutput<kLinearAddColumns> target{{D_MODEL}, hidden};
  multiply<LinearAdd>(shared, weight, inputSize, target.groups(),
                      PlainInput<kLinearAddThreads, kStride>{input, inputSize}, target);
}

/// logits [ROWS, vocabSize] = round(states * scale) x weight^T. `weight`: [vocabSize, D_MODEL].
__global__ void __launch_bounds__(kLinearThreads, 4)
    lmHead(const float* states, const Element* weight, float scale, float* logits, int vocabSize) {
  letNextStart();
  constexpr int kStride = strideOf<LmHead>(D_MODEL);
  __shared__ SharedMemory<LmHead, kStride> shared;
  const LogitsOutput<kLmHeadRows> target{{vocabSize}, logits};
  multiply<LmHead>(shared, weight, D_MODEL, target.groups(), ScaledInput<kStride>{states, scale}, target);
}

/// ranks [ROWS, gridDim.x] = the highest rank of the logits that each block computes: those that normalize and lmHead
/// compute, to the bit.
__global__ void __launch_bounds__(kLinearThreads, kArgmaxBlocks)
    normArgmax(const float* hidden, const float* norm, const Element* weight, float scale, Rank* ranks, int vocabSize) {
  letNextStart();
  constexpr int kStride = strideOf<LmHead>(D_MODEL);
  constexpr int kWarps = kLinearThreads / kLanes;
  __shared__ SharedMemory<LmHead, kStride> shared;
  __shared__ float sums[kWarps][ROWS];
  __shared__ Rank highest[kWarps][ROWS];
  Rank rank = kNoRank;
  const RankOutput<kLmHeadRows> target{{vocabSize}, rank};
  multiply<LmHead>(shared, weight, D_MODEL, target.groups(), NormInput<kStride, kHeldNorms>{hidden, norm, sums, scale},
                   target);

  const LaneSum<LmHead> mine;
  rank = highestOfLanes<kLanes / kLmHeadRows>(rank);  // over the columns of a row
  if (mine.column == 0 && isFirstOfSum<LmHead::kSums>()) highest[warpOfThread()][mine.row] = rank;
  __syncthreads();
  const int row = static_cast<int>(threadIdx.x);
  if (row >= ROWS) return;
  rank = highest[0][row];
#pragma unroll
  for (int warp = 1; warp < kWarps; ++warp) rank = higher(rank, highest[warp][row]);
  ranks[row * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x)] = rank;
}

}  // extern "C"
}  // namespace torch_t5

#endif
