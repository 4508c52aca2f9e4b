// One decoded row of a decoder step, as the kernels read it. The same text is compiled for the host and for the device.
// Each row has its own cache and position, so rows of different calls fit in one step.
#pragma once

namespace torch_t5 {

/// The rule of a row's greedy search. Pointers are device pointers.
struct GreedyRule {
  int* tokens;             // [room]: the chosen ids; id i is stored at i % room
  const int* eosTokenIds;  // [eosCount]
  int room;
  int eosCount;
  int padTokenId;  // chosen after the end of a sequence; -1: decoded on instead
};

/// Pointers are device pointers. Offsets and strides are in elements.
struct StepRow {
  void* selfKeys;          // layer 0: [heads, selfCapacity, dKv]
  const void* crossKeys;   // layer 0: [heads, sourceLength, dKv]
  const float* crossMask;  // [sourceLength], added to the scores; null without padding
  long long selfValues;    // offset from keys to values
  long long selfLayer;     // stride from one layer's keys to the next layer's
  long long crossValues;   // offset from keys to values
  long long crossLayer;    // stride from one layer's keys to the next layer's
  int selfCapacity;        // positions that the self cache has room for
  int sourceLength;
  GreedyRule rule;  // used by greedy steps alone
  int position;     // of the id that this step reads: the number of ids that were read before
  int unfinished;   // greedy search: 1 until the sequence ends, then 0
  int generated;    // greedy search: the number of ids chosen since the table was written
  int length;       // greedy search: `generated` when the sequence ended; 0 before
};

}  // namespace torch_t5
