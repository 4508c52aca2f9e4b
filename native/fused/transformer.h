// T5's encoder and decoder blocks, over rows of hidden states.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
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

/// The last `length` positions of a cache's rows, which are decoded. The keys and values of the positions before are in
/// the cache.
struct NewCachePositions {
  const PagedKvCache& cache;
  std::int64_t length;
};

/// Offers interludes between the layers of its groups of rows.
class Transformer {
 public:
  Transformer(PackedModel& model, const Executor& executor, Scratch& scratch)
      : model_(model), executor_(executor), scratch_(scratch) {}

  /// Runs the encoder's blocks in place, without the final norm. Throws ERR_ABORTED.
  void encode(const FloatRows& hidden, const RaggedBatch& batch);

  /// Computes the cross keys and values of the caches' batches. `rows`: those of all batches, one batch after another.
  /// Throws ERR_ABORTED.
  void fillCrossCaches(const Operand& rows, std::span<const std::shared_ptr<const CrossKvCache>> caches);

  /// Runs the decoder's blocks in place, without the final norm, on positions 0 to `lengths[i] - 1` of each sequence i,
  /// which reads sequence i of the encoder's rows. Throws ERR_ABORTED.
  void decode(const FloatRows& hidden, std::span<const std::int64_t> lengths, const EncoderRows& encoderRows);

  /// The same for the new positions of caches, whose keys and values are written. `hidden`: the rows of all caches, one
  /// cache after another.
  void decode(const FloatRows& hidden, std::span<const NewCachePositions> caches);

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
