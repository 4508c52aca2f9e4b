// Greedy search: the id with the highest logit, and what it changes in a row.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/rank.cuh"
#include "aten/kernels/step_row.h"

namespace torch_t5 {
namespace {

#if ROWS > 0

/// What `choose` chooses from: the ranks that normArgmax leaves.
using Candidate = Rank;
constexpr int kThreadsOfChoice = kRowThreads;

/// The highest rank of those that a thread compares.
__device__ __forceinline__ Rank highestOfThread(const Rank* ranks, int count) {
  Rank highest = kNoRank;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreadsOfChoice) highest = higher(highest, ranks[i]);
  return highest;
}

#else

/// What `choose` chooses from: logits.
using Candidate = float;
constexpr int kThreadsOfChoice = kChooseThreads;

/// Whether a later logit has a higher rank than an earlier one.
__device__ __forceinline__ bool replaces(float later, float earlier) {
  return !(later <= earlier) && earlier == earlier;
}

/// The highest rank of those that a thread compares.
__device__ __forceinline__ Rank highestOfThread(const float* logits, int count) {
  int index = static_cast<int>(threadIdx.x);
  if (index >= count) return kNoRank;
  float logit = logits[index];
#pragma unroll 8
  for (int i = index + kThreadsOfChoice; i < count; i += kThreadsOfChoice) {
    const float other = logits[i];
    if (replaces(other, logit)) {
      logit = other;
      index = i;
    }
  }
  return rankOf(logit, index);
}

#endif

/// The highest rank of the threads of a block; all threads receive it. `ranks`: shared memory.
template <int kWarps>
__device__ __forceinline__ Rank highestOfBlock(Rank rank, Rank (&ranks)[kWarps]) {
  rank = highestOfLanes<1>(rank);
  if (laneOfThread() == 0) ranks[warpOfThread()] = rank;
  __syncthreads();
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) rank = higher(rank, ranks[warp]);
  return rank;
}

__device__ __forceinline__ void endIfEos(StepRow& row, int token, const GreedyRule& rule) {
  for (int i = 0; i < rule.eosCount; ++i) {
    if (rule.eosTokenIds[i] != token) continue;
    row.unfinished = 0;
    row.length = row.generated;
  }
}

}  // namespace

extern "C" {

/// Chooses each row's next id, and continues the row with it: `ids` [rows] are those of the next step. `candidates`:
/// [rows, count]. A block per row.
__global__ void __launch_bounds__(kThreadsOfChoice)
    choose(const Candidate* candidates, int count, StepRow* rows, const int* rowCount, long long* ids,
           const GreedyRule* rule) {
  letNextStart();
  waitForPrevious();
  const int index = static_cast<int>(blockIdx.x);
  if (index >= *rowCount) return;
  __shared__ Rank ranks[kThreadsOfChoice / kLanes];
  const Rank highest =
      highestOfBlock(highestOfThread(candidates + static_cast<long long>(index) * count, count), ranks);
  if (threadIdx.x != 0) return;
  StepRow& row = rows[index];
  const int token = row.unfinished != 0 || rule->padTokenId < 0 ? indexOf(highest) : rule->padTokenId;
  if (row.generated < rule->maxTokens)
    rule->tokens[static_cast<long long>(index) * rule->maxTokens + row.generated] = token;
  row.generated += 1;
  row.position += 1;
  ids[index] = token;
  if (row.unfinished != 0) endIfEos(row, token, *rule);
}

}  // extern "C"
}  // namespace torch_t5
