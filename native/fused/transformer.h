// T5's blocks, over rows of floats.
#pragma once

#include <vector>

#include "fused/attention.h"
#include "fused/kv_cache.h"
#include "fused/linear.h"
#include "fused/packed_model.h"
#include "fused/ragged_batch.h"
#include "fused/scratch.h"
#include "fused/threading/parallel.h"

namespace torch_t5 {

/// What the decoder's cross attention reads where no cache holds it: the encoder's rows, as an operand.
struct CrossSource {
  Operand rows;
  const RaggedBatch& batch;
};

class Transformer {
 public:
  Transformer(PackedModel& model, const Parallel& parallel, Scratch& scratch)
      : model_(model), parallel_(parallel), scratch_(scratch) {}

  /// The encoder's blocks, in place; the final norm is left to the caller. Throws ERR_ABORTED.
  void encode(const FloatRows& hidden, const RaggedBatch& batch);

  /// Fills a cache with the cross keys and values of its batch's rows.
  void writeCross(const Operand& rows, const CrossCache& cache);

  /// The decoder's blocks over `length` positions a row from position 0 on, in place. Row i of the batch reads sequence
  /// i of the source.
  void decode(const FloatRows& hidden, std::int64_t length, const CrossSource& source);

  /// The same over the last `length` positions of a cache, whose keys and values are written.
  void decode(const FloatRows& hidden, std::int64_t length, const FusedCache& cache);

 private:
  /// Some of the sequences, one after the other, and their rows.
  struct Group {
    FloatRows hidden;
    std::vector<QueryRows> queries;  // `row` counted from the group's first
  };

  std::vector<Group> groupsOf(const FloatRows& hidden, const std::vector<QueryRows>& queries) const;

  void attendToSelf(const PackedLayer& layer, const Group& group, BlockTable* table, const AttentionSettings& settings);
  void attendToSource(const PackedCross& cross, const Group& group, const std::vector<QueryRows>& queries,
                      const WordRows& keyValue, BlockTable* table);
  void feedForward(const PackedLayer& layer, const FloatRows& hidden);

  WordRows projectSource(const PackedCross& cross, const Operand& rows);

  PackedModel& model_;
  const Parallel& parallel_;
  Scratch& scratch_;
};

}  // namespace torch_t5
