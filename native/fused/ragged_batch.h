// Batches without their padding: the positions of their sequences, one after another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <list>
#include <span>
#include <vector>

namespace torch_t5 {

/// The computed positions of one sequence: from the first to the last position that its mask keeps.
struct Sequence {
  std::int64_t first = 0;  // position in the padded batch
  std::int64_t length = 0;
  std::int64_t row = 0;         // of its first position, among the rows of all sequences
  const float* mask = nullptr;  // [length], added to scores. Null: no position in between is masked.
};

/// The computed rows of padded batches [B, S], one batch after another. Padding at either end is not computed: T5 uses
/// only the distances between positions, so no result depends on it.
class RaggedBatch {
 public:
  RaggedBatch() = default;

  /// Adds the sequences of a padded batch. `attentionMask`: int64 [B, S] on the CPU. A sequence whose positions are all
  /// masked is computed whole, and attends to all of its positions equally, as in Hugging Face.
  void add(const at::Tensor& attentionMask);

  RaggedBatch(RaggedBatch&&) = default;
  RaggedBatch(const RaggedBatch&) = delete;
  RaggedBatch& operator=(RaggedBatch&&) = delete;
  RaggedBatch& operator=(const RaggedBatch&) = delete;

  const std::vector<Sequence>& sequences() const { return sequences_; }
  std::int64_t rowCount() const { return rowCount_; }
  std::int64_t maxLength() const { return maxLength_; }

 private:
  std::vector<Sequence> sequences_;
  std::list<std::vector<float>> masks_;  // the sequences point into them
  std::int64_t rowCount_ = 0;
  std::int64_t maxLength_ = 0;
};

}  // namespace torch_t5
