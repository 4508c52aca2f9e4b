// Greedy search: the id with the highest logit, and what it changes in a row.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/embed.cuh"
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

/// Stores a row's new id, and moves the row to the next position.
__device__ __forceinline__ void continueRow(StepRow& row, int token, int* tokens, const GreedyRule& rule) {
  if (row.generated < rule.maxTokens) tokens[row.generated] = token;
  row.generated += 1;
  row.position += 1;
  if (row.unfinished == 0) return;
  for (int i = 0; i < rule.eosCount; ++i) {
    if (rule.eosTokenIds[i] != token) continue;
    row.unfinished = 0;
    row.length = row.generated;
  }
}

}  // namespace

extern "C" {

/// Chooses each row's next id, continues the row with it, and embeds it: hidden [rows, D_MODEL] is that of the next
/// step. `candidates`: [rows, count]. A block per row.
__global__ void __launch_bounds__(kThreadsOfChoice)
    choose(const Candidate* candidates, int count, const Element* embedding, const GreedyRule* rule,
           const int* rowCount, StepRow* rows, float* hidden) {
  letNextStart();
  const int index = static_cast<int>(blockIdx.x);
  const bool isUsed = index < *static_cast<const volatile int*>(rowCount);
  const volatile GreedyRule& read = *rule;
  const GreedyRule copied{read.tokens, read.eosTokenIds, read.maxTokens, read.eosCount, read.padTokenId};
  waitForPrevious();
  if (!isUsed) return;
  StepRow& row = rows[index];
  const bool choosesFreely = row.unfinished != 0 || copied.padTokenId < 0;
  __shared__ Rank ranks[kThreadsOfChoice / kLanes];
  const Rank highest =
      highestOfBlock(highestOfThread(candidates + static_cast<long long>(index) * count, count), ranks);
  const int token = choosesFreely ? indexOf(highest) : copied.padTokenId;
  embedId(embedding, token, hidden + static_cast<long long>(index) * D_MODEL);
  // The last thread embeds less than others, if not the same.
  if (threadIdx.x == kThreadsOfChoice - 1)
    continueRow(row, token, copied.tokens + static_cast<long long>(index) * copied.maxTokens, copied);
}

}  // extern "C"
}  // namespace torch_t5
