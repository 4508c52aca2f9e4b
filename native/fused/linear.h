// Linear layers and layer norm over rows, on all of a model's threads.
#pragma once

#include "fused/kernels/kernels.h"
#include "fused/packed_matrix.h"
#include "fused/scratch.h"
#include "fused/threading/worker_pool.h"

namespace torch_t5 {

/// The left operand of GEMM: [rows, k].
struct Operand {
  kernels::DataType dataType = kernels::DataType::kFloat32;
  const std::uint32_t* words = nullptr;
  const float* scales = nullptr;  // int8: [rows]
  std::int64_t rows = 0;
  std::int64_t k = 0;
  bool isTiled = false;  // `words` are stored in tiles

  std::int64_t wordsPerRow() const { return kernels::wordsPerRow(dataType, k); }
};

/// Contiguous rows of floats.
struct FloatRows {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  FloatRows slice(std::int64_t first, std::int64_t count) const { return {data + first * columns, count, columns}; }
};

/// Rows of words, `stride` words apart.
struct WordRows {
  const std::uint32_t* words = nullptr;
  std::int64_t stride = 0;

  /// The same rows, from word `column` of each on.
  WordRows from(std::int64_t column) const { return {words + column, stride}; }
};

/// Where a result of `columns` columns is written: as floats, or as bfloat16. The other pointer is null.
struct Destination {
  float* floats = nullptr;
  std::uint16_t* bf16 = nullptr;
  bool isBf16Tiled = false;
  std::int64_t columns = 0;
};

/// A bfloat16 operand in scratch memory whose elements are not written yet.
struct Bf16Operand {
  std::uint16_t* elements;
  Operand operand;
};

Bf16Operand takeBf16Operand(Scratch& scratch, std::int64_t rows, std::int64_t columns, bool isTiled);

/// Converts the rows to a data type. float32: the rows themselves; otherwise in scratch memory.
Operand convert(const Executor& executor, Scratch& scratch, kernels::DataType dataType, const FloatRows& rows);

/// Hugging Face's T5LayerNorm of the rows, in a data type, in scratch memory.
Operand normalize(const Executor& executor, Scratch& scratch, kernels::DataType dataType, const FloatRows& rows,
                  const float* weight, float epsilon);

/// Hugging Face's T5LayerNorm of the rows, as floats.
void normalizeTo(const Executor& executor, const FloatRows& rows, const float* weight, float epsilon,
                 const FloatRows& result);

/// result = epilogue(operand x matrix). `result.columns`: at most the matrix's columns, or half of them with kGate.
void multiply(const Executor& executor, const Operand& operand, const PackedMatrix& matrix, const FloatRows& result,
              kernels::Epilogue epilogue = kernels::Epilogue::kStore, Activation activation = Activation::kRelu);

/// operand x matrix in float32 or bfloat16, in scratch memory. bfloat16: the matrix must have an even number of
/// columns.
WordRows multiplyToWords(const Executor& executor, Scratch& scratch, const Operand& operand, const PackedMatrix& matrix,
                         kernels::DataType dataType);

/// epilogue(operand x matrix) [rows, columns] as the operand of the next product, in scratch memory.
Operand multiplyToOperand(const Executor& executor, Scratch& scratch, const Operand& operand,
                          const PackedMatrix& matrix, std::int64_t columns, kernels::Epilogue epilogue,
                          Activation activation);

}  // namespace torch_t5
