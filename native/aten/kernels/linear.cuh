// Products with weight matrices for few rows (ROWS > 0). A step with few rows takes as long as reading the weights, so
// each is read once, for all rows, and early: a warp always has its next weights on the way to its registers.
//
// A warp multiplies a few matrix rows at once; kSplit warps of a block share these and take turns at their tiles. The
// input rows are in shared memory, in chunks, as elements.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/element.cuh"
#include "aten/kernels/reduce.cuh"

#if ROWS > 0

namespace torch_t5 {
namespace {

constexpr int kTile = kLanes * kVector;  // elements of a matrix row that a warp loads at once
constexpr int kQueued = 8;               // vectors that a thread loads ahead
constexpr int kInputBytes = 32 * 1024;   // of shared memory for the input rows

/// How a block divides a product. kDepth: tiles of a matrix row that a warp loads ahead.
template <int kThreads_, int kColumns_, int kDepth_, int kSplit_>
struct Division {
  static constexpr int kThreads = kThreads_;
  static constexpr int kColumns = kColumns_;
  static constexpr int kDepth = kDepth_;
  static constexpr int kSplit = kSplit_;
  static constexpr int kGroups = kThreads / kLanes / kSplit;  // of matrix rows
  static constexpr int kRound = kDepth * kSplit * kTile;      // elements that are loaded ahead
  static constexpr int kSums = kColumns * ROWS;
  static constexpr int kMostRounds = kInputBytes / (ROWS * static_cast<int>(sizeof(Element))) / kRound;
  static_assert(kSums <= kLanes && kMostRounds > 0, "sums for each lane, and room for a round");
};

/// The division for matrix rows of D_MODEL elements. They are often short.
template <int kColumns>
using ModelDivision =
    Division<kLinearThreads, kColumns, smaller(kQueued / kColumns, ceilDiv(D_MODEL, kTile)), /*kSplit=*/1>;

/// Loads a thread's part of a tile of several matrix rows: zeros after their end.
template <int kColumns>
__device__ __forceinline__ void loadTile(Vector (&tile)[kColumns], const Element* const (&rows)[kColumns], int element,
                                         int size) {
#pragma unroll
  for (int column = 0; column < kColumns; ++column)
    tile[column] = element < size ? loadOnce(rows[column] + element) : Vector{0, 0, 0, 0};
}

/// Adds the products of a tile: sums[column * ROWS + row]. `input`: the thread's part of the first row.
template <int kColumns, int kStride>
__device__ __forceinline__ void multiplyTile(const Vector (&tile)[kColumns], const Element* input,
                                             float (&sums)[kColumns * ROWS]) {
  float weights[kColumns][kVector];
#pragma unroll
  for (int column = 0; column < kColumns; ++column) unpack(tile[column], weights[column]);
#pragma unroll
  for (int row = 0; row < ROWS; ++row) {
    float values[kVector];
    unpack(loadVector(input + row * kStride), values);
#pragma unroll
    for (int column = 0; column < kColumns; ++column) {
#pragma unroll
      for (int i = 0; i < kVector; ++i)
        sums[column * ROWS + row] = fmaf(weights[column][i], values[i], sums[column * ROWS + row]);
    }
  }
}

/// The sum that a lane of the first warp of kSplit has: of which column of its group, and of which row.
template <class D>
struct LaneSum {
  int column = sumOfLane<D::kSums>() / ROWS;
  int row = sumOfLane<D::kSums>() % ROWS;
};

/// The shared memory of a product, which a kernel declares.
template <class D, int kStride_>
struct SharedMemory {
  static constexpr int kStride = kStride_;  // elements of a chunk of an input row
  static_assert(kStride % D::kRound == 0, "chunks of whole rounds");

  __align__(16) Element chunk[ROWS * kStride];
  float parts[D::kThreads / kLanes][D::kSums];  // the sums of warps that share a group
};

/// Adds up the sums of all lanes and of the warps that share a group.
template <class D>
__device__ __forceinline__ float finishSum(float (&sums)[D::kSums], float (&parts)[D::kThreads / kLanes][D::kSums]) {
  const float sum = sumOverLanes(sums);
  if constexpr (D::kSplit == 1) {
    return sum;
  } else {
    __syncthreads();  // the previous sums have been read
    const int index = sumOfLane<D::kSums>();
    if (isFirstOfSum<D::kSums>()) parts[warpOfThread()][index] = sum;
    __syncthreads();
    const int first = warpOfThread() / D::kSplit * D::kSplit;
    float total = 0;
#pragma unroll
    for (int part = 0; part < D::kSplit; ++part) total += parts[first + part][index];
    return total;
  }
}

/// Multiplies the input by all groups of matrix rows. `size`: elements of a matrix row.
///
/// Input: prepare() is called after the wait; fill(chunk, first, count) writes `count` elements of each row from
///   element `first` on, row after row with kStride elements between them, and zeros after the end of a row.
/// Output: rowOf(group, column) is the index of a matrix row; start(group, column, row) is called before the products,
///   and finish(group, column, row, sum, started, isLast) after them, by all lanes.
template <class D, int kStride, class Input, class Output>
__device__ __forceinline__ void multiply(SharedMemory<D, kStride>& shared, const Element* weight, int size, int groups,
                                         Input input, const Output& output) {
  Element* chunk = shared.chunk;
  const int part = warpOfThread() % D::kSplit;
  const int lane = part * kTile + laneOfThread() * kVector;
  const int rounds = (size + D::kRound - 1) / D::kRound;
  const int groupStep = static_cast<int>(gridDim.x) * D::kGroups;
  int group = static_cast<int>(blockIdx.x) * D::kGroups + warpOfThread() / D::kSplit;

  const Element* rows[D::kColumns];
  const auto pointToGroup = [&](int next) {
#pragma unroll
    for (int column = 0; column < D::kColumns; ++column)
      rows[column] = weight + static_cast<long long>(output.rowOf(next < groups ? next : groups - 1, column)) * size;
  };
  Vector queue[D::kDepth][D::kColumns];
  pointToGroup(group);
#pragma unroll
  for (int slot = 0; slot < D::kDepth; ++slot) loadTile(queue[slot], rows, slot * D::kSplit * kTile + lane, size);

  input.beforeWait();
  waitForPrevious();
  input.prepare();
  bool isFilled = false;
  for (int first = static_cast<int>(blockIdx.x) * D::kGroups; first < groups; first += groupStep) {
    const LaneSum<D> mine;
    const bool isOwner = part == 0 && group < groups && isFirstOfSum<D::kSums>();
    const float started = isOwner ? output.start(group, mine.column, mine.row) : 0;
    float sums[D::kSums] = {};
    int chunkStart = 0;
    for (int round = 0; round < rounds; ++round) {
      const int start = round * D::kRound;
      if (start == 0 || start - chunkStart == kStride) {
        chunkStart = start;
        if (size > kStride || !isFilled) {
          if (isFilled) __syncthreads();
          input.fill(chunk, start, smaller(kStride, (size - start + kTile - 1) / kTile * kTile));
          __syncthreads();
          isFilled = true;
        }
      }
      const bool isLastRound = round + 1 == rounds;
      if (isLastRound) pointToGroup(group + groupStep);
      const int nextStart = isLastRound ? 0 : start + D::kRound;
      const bool loadsNext = !isLastRound || first + groupStep < groups;
#pragma unroll
      for (int slot = 0; slot < D::kDepth; ++slot) {
        const int offset = slot * D::kSplit * kTile;
        if (start + offset + part * kTile < size)
          multiplyTile<D::kColumns, kStride>(queue[slot], chunk + start - chunkStart + offset + lane, sums);
        if (loadsNext) loadTile(queue[slot], rows, nextStart + offset + lane, size);
      }
    }
    const float sum = finishSum<D>(sums, shared.parts);
    if (part == 0) output.finish(group, mine.column, mine.row, sum, started, isOwner);
    group += groupStep;
  }
}

/// The elements of a chunk of the input, for matrix rows of at most `size` elements.
template <class D>
__device__ constexpr int strideOf(int size) {
  return smaller(D::kMostRounds, ceilDiv(size, D::kRound)) * D::kRound;
}

}  // namespace
}  // namespace torch_t5

#endif
