// A batch without its padding: the positions of its sequences, one after another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace torch_t5 {

/// The computed positions of one sequence: from the first to the last position that its mask keeps.
struct Sequence {
  std::int64_t first = 0;  // position in the padded batch
  std::int64_t length = 0;
  std::int64_t row = 0;         // of its first position, among the rows of all sequences
  const float* mask = nullptr;  // [length], added to scores. Null: no position in between is masked.
};

/// The computed rows of a padded batch [B, S]. Padding at either end is not computed: T5 uses only the distances
/// between positions, so no result depends on it.
class RaggedBatch {
 public:
  /// `attentionMask`: int64 [B, S] on the CPU. A sequence whose positions are all masked is computed whole, and attends
  /// to all of its positions equally, as in Hugging Face.
  explicit RaggedBatch(const at::Tensor& attentionMask);
  RaggedBatch(RaggedBatch&&) = default;
  RaggedBatch(const RaggedBatch&) = delete;
  RaggedBatch& operator=(RaggedBatch&&) = delete;
  RaggedBatch& operator=(const RaggedBatch&) = delete;

  const std::vector<Sequence>& sequences() const { return sequences_; }
  std::int64_t rowCount() const { return rowCount_; }
  std::int64_t maxLength() const { return maxLength_; }

 private:
  std::vector<Sequence> sequences_;
  std::vector<std::vector<float>> masks_;  // the sequences point into them
  std::int64_t rowCount_ = 0;
  std::int64_t maxLength_ = 0;
};

}  // namespace torch_t5
