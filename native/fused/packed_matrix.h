// The right operand of a product, in the order in which kernels read it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fused/kernels/kernels.h"
#include "fused/threading/parallel.h"

namespace torch_t5 {

/// Rows of numbers, of a weight [rows, columns] in PyTorch's order; each becomes one column of the packed matrix.
using WeightRows = std::vector<const float*>;

/// The rows of weights that are applied to the same input, one weight after the other. float32, contiguous, on the CPU.
WeightRows rowsOf(const std::vector<at::Tensor>& weights);

/// Two weights [n, columns] whose products belong together in pairs: in each panel the first half are rows of `gate`,
/// the second of `up`; panels that n doesn't fill are filled with the last row.
WeightRows gatedRowsOf(const at::Tensor& gate, const at::Tensor& up, const kernels::Kernels& kernels);

class PackedMatrix {
 public:
  /// `inner`: numbers of each row. int8: each row is scaled by its greatest, symmetrically.
  PackedMatrix(const WeightRows& rows, std::int64_t inner, kernels::Format format, const Parallel& parallel);

  kernels::Format format() const { return format_; }
  std::int64_t inner() const { return inner_; }
  std::int64_t columns() const { return columns_; }
  std::int64_t panels() const { return (columns_ + kernels_->panelWidth - 1) / kernels_->panelWidth; }
  std::int64_t words() const { return kernels::wordsPerRow(format_, inner_); }

  /// Sets what of a product is the panels' from `first` on: their words and scales.
  void choosePanels(std::int64_t first, kernels::Product& product) const;

  /// The numbers of one column, as floats: one of the rows that were packed.
  void readColumn(std::int64_t column, float* numbers) const;

  /// A matrix of some of the columns, whose products are bitwise those of this one.
  PackedMatrix select(const std::vector<std::int64_t>& columns) const;

 private:
  PackedMatrix(const kernels::Kernels& kernels, kernels::Format format, std::int64_t inner, std::int64_t columns);

  void packPanel(const WeightRows& rows, std::int64_t panel);
  void packColumn(const float* row, std::uint32_t* words, std::int64_t column);
  std::uint32_t* panelWords(std::int64_t panel) const;

  const kernels::Kernels* kernels_;
  kernels::Format format_;
  std::int64_t inner_;
  std::int64_t columns_;
  at::Tensor memory_;   // int32 [panels, words, panelWidth]
  at::Tensor scales_;   // int8: float32 [panels, panelWidth]
  at::Tensor offsets_;  // int8: int32 [panels, panelWidth]
};

}  // namespace torch_t5
