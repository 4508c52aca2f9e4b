// T5's encoder and decoder blocks, over rows of hidden states.
#pragma once

#include <cstddef>
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

/// The new positions of each sequence whose states are read after the last block, in any order, counted from its first
/// new position. Null: all positions of the sequence.
using SelectedPositions = std::vector<const std::vector<std::int64_t>*>;

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

  /// Runs the decoder's blocks, without the final norm, on positions 0 to `lengths[i] - 1` of each sequence i, which
  /// reads sequence i of the encoder's rows. Returns the rows of the selected positions, one sequence after another: if
  /// all are selected, `hidden` itself, otherwise rows in scratch memory. Throws ERR_ABORTED.
  FloatRows decode(const FloatRows& hidden, std::span<const std::int64_t> lengths, const EncoderRows& encoderRows,
                   const SelectedPositions& selected);

  /// The same for the new positions of caches, whose keys and values are written. `hidden`: the rows of all caches, one
  /// cache after another.
  FloatRows decode(const FloatRows& hidden, std::span<const NewCachePositions> caches,
                   const SelectedPositions& selected);

 private:
  /// Consecutive sequences, and their rows.
  struct SequenceGroup {
    FloatRows hidden;
    std::vector<SequenceQueries> sequences;  // their rows are counted from the group's first row
  };

  /// The sequences that a decoder computes, in groups.
  struct DecoderRows {
    FloatRows hidden;
    std::vector<SequenceGroup> groups;
    std::vector<SequenceQueries> sequences;  // of all groups; their rows are counted from the first
    std::int64_t maxLength = 0;              // of the keys of self-attention
  };

  /// The rows of the selected positions.
  struct SelectedRows {
    FloatRows hidden;
    std::vector<SequenceGroup> groups;       // for each group, its selected rows, and queries of the whole group's rows
    std::vector<SequenceQueries> sequences;  // the selected rows of each sequence
  };

  /// The keys and values of a decoder layer. Without tables they are not kept.
  struct LayerKeyValues {
    BlockTable* selfTable;
    WordRows crossKeyValue;  // with `crossTable`: none
    BlockTable* crossTable;
  };

  std::vector<SequenceGroup> groupSequences(const FloatRows& hidden,
                                            const std::vector<SequenceQueries>& sequences) const;

  DecoderRows decoderRows(const FloatRows& hidden, std::vector<SequenceQueries> sequences) const;
  SelectedRows selectRows(const DecoderRows& rows, const SelectedPositions& selected);

  template <class WithKeyValues>
  FloatRows decodeLayers(const DecoderRows& rows, const SelectedPositions& selected, WithKeyValues&& withKeyValues);
  template <class ToCrossQueries>
  void decodeLayer(std::size_t index, const LayerKeyValues& keyValues, const DecoderRows& rows,
                   const ToCrossQueries& toCrossQueries);
  template <class ToCrossQueries>
  void decodeSelected(std::size_t index, const LayerKeyValues& keyValues, const DecoderRows& rows,
                      const SelectedRows& selected, const ToCrossQueries& toCrossQueries);

  void selfAttention(const PackedLayer& layer, const SequenceGroup& group, BlockTable* table,
                     const AttentionSettings& settings);
  void selfAttentionOf(SequenceGroup selected, const PackedLayer& layer, const SequenceGroup& group, BlockTable* table,
                       const AttentionSettings& settings);
  WordRows projectQueryKeyValue(const PackedLayer& layer, const FloatRows& hidden);
  KeyValues keyValuesOf(const WordRows& projected) const;
  void attendToSelf(const PackedLayer& layer, const std::vector<SequenceQueries>& queries, const WordRows& projected,
                    BlockTable* table, const AttentionSettings& settings, const FloatRows& hidden);
  void crossAttention(const PackedCrossAttention& cross, const FloatRows& hidden,
                      const std::vector<SequenceQueries>& queries, const LayerKeyValues& keyValues);
  void feedForward(const PackedLayer& layer, const FloatRows& hidden);

  WordRows projectCrossKeyValue(const PackedCrossAttention& cross, const Operand& rows);

  PackedModel& model_;
  const Executor& executor_;
  Scratch& scratch_;
};

}  // namespace torch_t5
