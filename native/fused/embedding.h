// The embeddings of ids.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "fused/kernels/kernels.h"
#include "fused/linear.h"
#include "fused/packed_matrix.h"
#include "fused/threading/parallel.h"

namespace torch_t5 {

/// In the precision of the model's other weights; one that is tied to the head is read out of the head's columns, so
/// that it lies in memory once.
class Embedding {
 public:
  /// `weight`: float32 [vocabSize, dModel].
  Embedding(const at::Tensor& weight, kernels::Format format);
  explicit Embedding(std::shared_ptr<const PackedMatrix> head) : head_(std::move(head)) {}

  /// Writes row i of the result for id i. Ids must be of the vocabulary.
  void read(const Parallel& parallel, const std::vector<std::int64_t>& ids, const FloatRows& result) const;

 private:
  void readRow(std::int64_t id, float* row, std::int64_t columns) const;

  std::shared_ptr<const PackedMatrix> head_;  // null: not tied
  at::Tensor table_;                          // float32, bfloat16 or int8 [vocabSize, dModel]
  at::Tensor scales_;                         // int8: float32 [vocabSize]
};

}  // namespace torch_t5
