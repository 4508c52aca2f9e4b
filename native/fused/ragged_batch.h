// The rows of a batch that are computed, one sequence after the other without padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace torch_t5 {

/// One sequence of a batch, as far as it is computed: from the first to the last position that its mask keeps.
struct Sequence {
  std::int64_t first = 0;       // its first position in the padded batch
  std::int64_t length = 0;      // positions
  std::int64_t row = 0;         // of its first position among the rows of all sequences
  const float* mask = nullptr;  // [length], added to scores; null: nothing in between is masked
};

/// What of a padded batch [B, S] is computed. Padding at either end isn't: T5 sees only distances between positions, so
/// that nothing depends on it.
class RaggedBatch {
 public:
  /// `attentionMask`: int64 [B, S] on the CPU. A sequence without any kept position is computed whole, and attends to
  /// all of its positions alike, as Hugging Face's does.
  explicit RaggedBatch(const at::Tensor& attentionMask);
  RaggedBatch(RaggedBatch&&) = default;
  RaggedBatch(const RaggedBatch&) = delete;
  RaggedBatch& operator=(RaggedBatch&&) = delete;
  RaggedBatch& operator=(const RaggedBatch&) = delete;

  const std::vector<Sequence>& sequences() const { return sequences_; }
  std::int64_t rowCount() const { return rowCount_; }
  std::int64_t longest() const { return longest_; }

 private:
  std::vector<Sequence> sequences_;
  std::vector<std::vector<float>> masks_;  // what sequences point to
  std::int64_t rowCount_ = 0;
  std::int64_t longest_ = 0;
};

}  // namespace torch_t5
