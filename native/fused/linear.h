// Products of rows with packed matrices, on all threads.
#pragma once

#include "fused/kernels/kernels.h"
#include "fused/packed_matrix.h"
#include "fused/scratch.h"
#include "fused/threading/parallel.h"

namespace torch_t5 {

/// Rows of numbers in a format: a product's left operand.
struct Operand {
  kernels::Format format = kernels::Format::kFloat32;
  const std::uint32_t* words = nullptr;
  const float* scales = nullptr;  // int8
  std::int64_t rows = 0;
  std::int64_t inner = 0;
  bool areTiled = false;  // the words

  std::int64_t wordsPerRow() const { return kernels::wordsPerRow(format, inner); }
};

/// Floats that lie in memory row after row.
struct FloatRows {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  FloatRows narrow(std::int64_t first, std::int64_t count) const { return {data + first * columns, count, columns}; }
};

/// An operand of bfloat16 in scratch memory, and where its numbers are yet to be written.
struct NarrowOperand {
  std::uint16_t* numbers;
  Operand operand;
};

NarrowOperand takeNarrow(Scratch& scratch, std::int64_t rows, std::int64_t columns, bool areTiled);

/// The rows in the format, in scratch memory unless they are as they should be already.
Operand convert(const Parallel& parallel, Scratch& scratch, kernels::Format format, const FloatRows& rows);

/// T5's layer norm of the rows, in scratch memory.
Operand normalize(const Parallel& parallel, Scratch& scratch, kernels::Format format, const FloatRows& rows,
                  const float* weight, float epsilon);

/// The same as floats.
void normalizeTo(const Parallel& parallel, const FloatRows& rows, const float* weight, float epsilon,
                 const FloatRows& result);

/// result = finish(operand x matrix). `result.columns` are the matrix's, or with kGate half of them or fewer.
void multiply(const Parallel& parallel, const Operand& operand, const PackedMatrix& matrix, const FloatRows& result,
              kernels::Finish finish = kernels::Finish::kStore, Activation activation = Activation::kRelu);

/// Rows of words, one after another.
struct WordRows {
  const std::uint32_t* words = nullptr;
  std::int64_t stride = 0;  // words from row to row

  WordRows from(std::int64_t column) const { return {words + column, stride}; }
};

/// The product's rows in a format, float32 or bfloat16 (then an even number of columns), in scratch memory.
WordRows multiplyToWords(const Parallel& parallel, Scratch& scratch, const Operand& operand, const PackedMatrix& matrix,
                         kernels::Format format);

/// The finished product [rows, columns] as the operand of another, in scratch memory.
Operand multiplyToOperand(const Parallel& parallel, Scratch& scratch, const Operand& operand,
                          const PackedMatrix& matrix, std::int64_t columns, kernels::Finish finish,
                          Activation activation);

}  // namespace torch_t5
