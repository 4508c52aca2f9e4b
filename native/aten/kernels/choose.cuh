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
constexpr int kLoadedAtOnce = 4;  // candidates per thread

/// The highest rank of those that a thread compares.
__device__ __forceinline__ Rank highestOfThread(const Rank* ranks, int count) {
  Rank highest = kNoRank;
#pragma unroll 1
  for (int first = static_cast<int>(threadIdx.x); first < count; first += kLoadedAtOnce * kThreadsOfChoice) {
    Rank some[kLoadedAtOnce];
#pragma unroll
    for (int i = 0; i < kLoadedAtOnce; ++i) {
      const int at = first + i * kThreadsOfChoice;
      some[i] = at < count ? ranks[at] : kNoRank;
    }
#pragma unroll
    for (int i = 0; i < kLoadedAtOnce; ++i) highest = higher(highest, some[i]);
  }
  return highest;
}

#else

/// What `choose` chooses from: logits.
using Candidate = float;
constexpr int kThreadsOfChoice = kChooseThreads;
constexpr int kLoadedAtOnce = 16;  // candidates per thread

/// Whether a later logit has a higher rank than an earlier one.
__device__ __forceinline__ bool replaces(float later, float earlier) {
  return !(later <= earlier) && earlier == earlier;
}

/// The highest rank of those that a thread compares.
__device__ __forceinline__ Rank highestOfThread(const float* logits, int count) {
  const float lowest = __uint_as_float(0xff800000);  // minus infinity, which replaces nothing
  float logit = lowest;
  int index = static_cast<int>(threadIdx.x);
  if (index >= count) return kNoRank;
#pragma unroll 1
  for (int first = index; first < count; first += kLoadedAtOnce * kThreadsOfChoice) {
    float some[kLoadedAtOnce];
#pragma unroll
    for (int i = 0; i < kLoadedAtOnce; ++i) {
      const int at = first + i * kThreadsOfChoice;
      some[i] = at < count ? logits[at] : lowest;
    }
#pragma unroll
    for (int i = 0; i < kLoadedAtOnce; ++i) {
      if (!replaces(some[i], logit)) continue;
      logit = some[i];
      index = first + i * kThreadsOfChoice;
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
__device__ __forceinline__ void continueRow(StepRow& row, int token, const GreedyRule& rule) {
  rule.tokens[row.generated % rule.room] = token;
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
    choose(const Candidate* candidates, int count, const Element* embedding, const int* rowCount, StepRow* rows,
           float* hidden) {
  letNextStart();
  const int index = static_cast<int>(blockIdx.x);
  const bool isUsed = index < *static_cast<const volatile int*>(rowCount);
  const volatile GreedyRule& read = rows[index].rule;
  const GreedyRule rule{read.tokens, read.eosTokenIds, read.room, read.eosCount, read.padTokenId};
  waitForPrevious();
  if (!isUsed) return;
  StepRow& row = rows[index];
  const bool choosesFreely = row.unfinished != 0 || rule.padTokenId < 0;
  __shared__ Rank ranks[kThreadsOfChoice / kLanes];
  const Rank highest =
      highestOfBlock(highestOfThread(candidates + static_cast<long long>(index) * count, count), ranks);
  const int token = choosesFreely ? indexOf(highest) : rule.padTokenId;
  embedId(embedding, token, hidden + static_cast<long long>(index) * D_MODEL);
  // The last thread embeds less than others, if not the same.
  if (threadIdx.x == kThreadsOfChoice - 1) continueRow(row, token, rule);
}

}  // extern "C"
}  // namespace torch_t5
