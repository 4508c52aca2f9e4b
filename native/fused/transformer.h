// T5's encoder and decoder blocks, over rows of hidden states.
#pragma once

#include <vector>

#include "fused/attention.h"
#include "fused/kv_cache.h"
#include "fused/linear.h"
#include "fused/packed_model.h"
#include "fused/ragged_batch.h"
#include "fused/scratch.h"
#include "fused/threading/worker_pool.h"

namespace torch_t5 {

/// The encoder's rows as an operand, for cross-attention without a cache.
struct EncoderRows {
  Operand rows;
  const RaggedBatch& batch;
};

class Transformer {
 public:
  Transformer(PackedModel& model, const Executor& executor, Scratch& scratch)
      : model_(model), executor_(executor), scratch_(scratch) {}

  /// Runs the encoder's blocks in place, without the final norm. Throws ERR_ABORTED.
  void encode(const FloatRows& hidden, const RaggedBatch& batch);

  /// Computes the cross keys and values of the cache's batch. Throws ERR_ABORTED.
  void fillCrossCache(const Operand& rows, const CrossKvCache& cache);

  /// Runs the decoder's blocks in place, without the final norm, on positions 0 to `length - 1` of each row. Row i of
  /// the batch reads sequence i of the encoder's rows. Throws ERR_ABORTED.
  void decode(const FloatRows& hidden, std::int64_t length, const EncoderRows& encoderRows);

  /// The same for the last `length` positions of a cache, whose keys and values are written.
  void decode(const FloatRows& hidden, std::int64_t length, const PagedKvCache& cache);

 private:
  /// Consecutive sequences, and their rows.
  struct SequenceGroup {
    FloatRows hidden;
    std::vector<SequenceQueries> sequences;  // their `row` is counted from the group's first row
  };

  std::vector<SequenceGroup> groupSequences(const FloatRows& hidden,
                                            const std::vector<SequenceQueries>& sequences) const;

  void selfAttention(const PackedLayer& layer, const SequenceGroup& group, BlockTable* table,
                     const AttentionSettings& settings);
  void crossAttention(const PackedCrossAttention& cross, const FloatRows& hidden,
                      const std::vector<SequenceQueries>& sequences, const WordRows& keyValue, BlockTable* table);
  void feedForward(const PackedLayer& layer, const FloatRows& hidden);

  WordRows projectCrossKeyValue(const PackedCrossAttention& cross, const Operand& rows);

  PackedModel& model_;
  const Executor& executor_;
  Scratch& scratch_;
};

}  // namespace torch_t5
