// Greedy search: the id with the highest logit, and what it changes in a row.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/reduce.cuh"
#include "aten/kernels/step_row.h"

namespace torch_t5 {
namespace {

/// Whether a later logit replaces an earlier one: NaN is the maximum, and the first of equal logits wins.
__device__ __forceinline__ bool replaces(float later, float earlier) {
  return !(later <= earlier) && earlier == earlier;
}

/// A number that orders logits first by value, then by index: the maximum belongs to the chosen logit.
__device__ __forceinline__ unsigned long long rank(float logit, int index) {
  const unsigned bits = __float_as_uint(logit == 0 ? 0.0F : logit);  // -0 equals 0
  const unsigned ordered = logit != logit ? 0xffffffff : (bits >> 31 != 0 ? ~bits : bits | 0x80000000);
  return static_cast<unsigned long long>(ordered) << 32 | ~static_cast<unsigned>(index);
}

__device__ __forceinline__ unsigned long long maximumOverLanes(unsigned long long value) {
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) {
    const unsigned long long other = __shfl_xor_sync(kAllLanes, value, offset);
    if (other > value) value = other;
  }
  return value;
}

/// The index of the first maximum, as torch.argmax. Only the block's first warp receives it.
__device__ __forceinline__ int argmaxOverBlock(const float* logits, int count) {
  constexpr int kWarps = kChooseThreads / kLanes;
  static_assert(kWarps == kLanes, "one warp compares the results of all warps");
  __shared__ unsigned long long ranks[kWarps];
  const int first = static_cast<int>(threadIdx.x);
  unsigned long long best = 0;
  if (first < count) {
    int index = first;
    float logit = logits[first];
#pragma unroll 8
    for (int i = first + kChooseThreads; i < count; i += kChooseThreads) {
      const float other = logits[i];
      if (replaces(other, logit)) {
        logit = other;
        index = i;
      }
    }
    best = rank(logit, index);
  }
  best = maximumOverLanes(best);
  if (laneOfThread() == 0) ranks[warpOfThread()] = best;
  __syncthreads();
  if (warpOfThread() == 0) best = maximumOverLanes(ranks[laneOfThread()]);
  return static_cast<int>(~static_cast<unsigned>(best));
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

/// Chooses each row's next id, and continues the row with it: `ids` [rows] are those of the next step. `logits`:
/// [rows, vocabSize]. A block per row.
__global__ void __launch_bounds__(kChooseThreads) choose(const float* logits, int vocabSize, StepRow* rows,
                                                         const int* rowCount, long long* ids, const GreedyRule* rule) {
  letNextStart();
  waitForPrevious();
  const int index = static_cast<int>(blockIdx.x);
  if (index >= *rowCount) return;
  const int best = argmaxOverBlock(logits + static_cast<long long>(index) * vocabSize, vocabSize);
  if (threadIdx.x != 0) return;
  StepRow& row = rows[index];
  const int token = row.unfinished != 0 || rule->padTokenId < 0 ? best : rule->padTokenId;
  if (row.generated < rule->maxTokens)
    rule->tokens[static_cast<long long>(index) * rule->maxTokens + row.generated] = token;
  row.generated += 1;
  row.position += 1;
  ids[index] = token;
  if (row.unfinished != 0) endIfEos(row, token, *rule);
}

}  // extern "C"
}  // namespace torch_t5
