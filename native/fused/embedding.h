// The embedding of token ids.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "fused/kernels/kernels.h"
#include "fused/linear.h"
#include "fused/packed_matrix.h"
#include "fused/threading/worker_pool.h"
#include "weights/weight_matrix.h"

namespace torch_t5 {

/// An embedding in the data type of the model's other weights. A tied embedding reads the columns of the packed
/// `lm_head`, so that the matrix is stored once.
class Embedding {
 public:
  /// `weight`: [vocabSize, dModel]. Throws what `WeightMatrix::read` throws.
  Embedding(const WeightMatrix& weight, kernels::DataType dataType, const Executor& executor);
  explicit Embedding(std::shared_ptr<const PackedMatrix> lmHead) : lmHead_(std::move(lmHead)) {}

  /// Writes the embedding of ids[i] to row i of the result. Every id must be from 0 to vocabSize - 1.
  void read(const Executor& executor, const std::vector<std::int64_t>& ids, const FloatRows& result) const;

 private:
  void writeRow(std::span<const float> numbers, std::int64_t row);
  void readRow(std::int64_t id, float* row, std::int64_t columns) const;

  std::shared_ptr<const PackedMatrix> lmHead_;  // null: not tied
  at::Tensor table_;                            // float32, bfloat16 or int8 [vocabSize, dModel]
  at::Tensor scales_;                           // int8: float32 [vocabSize]
};

}  // namespace torch_t5
