// A weight, packed as the right operand of GEMM.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "fused/kernels/kernels.h"
#include "fused/threading/worker_pool.h"
#include "weights/weight_matrix.h"

namespace torch_t5 {

/// Some consecutive rows of a weight [rows, k] in PyTorch's order. Each becomes one column of the packed matrix.
struct WeightRows {
  const WeightMatrix* weight;
  std::int64_t first;
  std::int64_t count;
};

/// The rows of weights that are applied to the same input, one weight after another.
std::vector<WeightRows> weightRows(std::initializer_list<const WeightMatrix*> weights);

/// The rows of the two weights [n, k] of a gate. Each panel holds rows of `gate` in its first half and the same rows of
/// `up` in its second; the last panel is filled with copies of the last row.
std::vector<WeightRows> gatedWeightRows(const WeightMatrix& gate, const WeightMatrix& up,
                                        const kernels::Kernels& kernels);

class PackedMatrix {
 public:
  /// `rows`: of weights that live until the constructor returns, with the same number of columns. int8: each row is
  /// quantized symmetrically, with its own scale. Weights in a file are read panel by panel, on all threads. Throws
  /// what `WeightMatrix::read` throws.
  PackedMatrix(const std::vector<WeightRows>& rows, kernels::DataType dataType, const Executor& executor);

  std::int64_t columns() const { return columns_; }

  /// Sets the arguments that describe the panels from `first` on: their words, scales and compensation.
  void setPanels(std::int64_t first, kernels::GemmArgs& args) const;

  /// Writes the k elements of one column, as floats.
  void readColumn(std::int64_t column, float* elements) const;

  /// A matrix of some of the columns. Its products are bitwise equal to those of this matrix.
  PackedMatrix selectColumns(const std::vector<std::int64_t>& columns) const;

 private:
  PackedMatrix(const kernels::Kernels& kernels, kernels::DataType dataType, std::int64_t k, std::int64_t columns);

  std::int64_t panels() const { return (columns_ + kernels_->panelWidth - 1) / kernels_->panelWidth; }
  std::int64_t words() const { return kernels::wordsPerRow(dataType_, k_); }

  const void* packRows(const float* rows, std::int64_t count, std::int64_t column, std::vector<std::uint32_t>& packed);
  void writeColumns(const void* rows, std::int64_t count, std::int64_t first, std::uint32_t* panel) const;
  std::uint32_t* panelWords(std::int64_t panel) const;
  kernels::PanelLayout layout() const { return {*kernels_, dataType_, words()}; }

  const kernels::Kernels* kernels_;
  kernels::DataType dataType_;
  std::int64_t k_;
  std::int64_t columns_;
  at::Tensor memory_;        // int32 [panels, words, panelWidth], see `PanelLayout`
  at::Tensor scales_;        // int8: float32 [panels, panelWidth]
  at::Tensor compensation_;  // int8: int32 [panels, panelWidth]
};

}  // namespace torch_t5
