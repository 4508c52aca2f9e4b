// Shared by the tests of the kernels.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "fused/instruction_set.h"
#include "harness.h"

namespace torch_t5::test {

using kernels::DataType;
using kernels::Kernels;
using kernels::roundUp;

/// The kernels that this processor can run, the best first: each needs fewer instruction sets than the one before.
inline std::vector<const Kernels*> usableKernels() {
  std::vector<const Kernels*> usable;
  for (const Kernels* table : {kernels::amxKernels(), kernels::avx512Bf16Kernels(), kernels::avx512Kernels(),
                               kernels::avx2Kernels(), kernels::neonMatrixKernels(), kernels::neonDotProductKernels(),
                               kernels::neonKernels(), kernels::portableKernels()}) {
    if (table != nullptr && (table == &bestKernels() || !usable.empty())) usable.push_back(table);
  }
  expect(!usable.empty(), "kernels for this processor");
  return usable;
}

inline const char* nameOf(DataType dataType) {
  return dataType == DataType::kFloat32 ? "float32" : dataType == DataType::kBfloat16 ? "bfloat16" : "int8";
}

inline constexpr std::array kDataTypes{DataType::kFloat32, DataType::kBfloat16, DataType::kInt8};

inline float* dataOf(const at::Tensor& tensor) { return tensor.data_ptr<float>(); }

inline bool areSameBits(const float* a, const float* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof *a) == 0;
}

/// Expected values, and how far a result may be from them.
struct Expected {
  at::Tensor values;
  at::Tensor tolerance;
};

/// Compares element by element. NaN is never within a tolerance.
inline void expectWithin(const at::Tensor& received, const Expected& expected, const std::string& what) {
  const at::Tensor excess = (received.to(at::kDouble) - expected.values).abs() - expected.tolerance;
  expect(excess.le(0).all().item<bool>(),
         what + ", but an element exceeds its tolerance by " + std::to_string(excess.max().item<double>()));
}

/// Tiled bfloat16 elements as plain rows [rows, columns]. `rows` is a multiple of a tile's rows.
inline at::Tensor untiled(const at::Tensor& tiled) {
  const std::int64_t columns = tiled.size(1);
  return tiled.view({-1, columns / kernels::kTileBf16Columns, kernels::kTileRows, kernels::kTileBf16Columns})
      .transpose(1, 2)
      .reshape({-1, columns});
}

/// A left operand: the result of `convert` for rows [n, k] with gaps between them.
struct Operand {
  /// `inTiles`: in tiles if the kernels use them for this data type and k.
  Operand(const Kernels& table, DataType dataType, const at::Tensor& values, bool inTiles)
      : dataType(dataType),
        k(values.size(1)),
        isTiled(inTiles && kernels::usesTiles(table, dataType, kernels::wordsPerRow(dataType, values.size(1)))) {
    constexpr std::int64_t kGap = 5;
    const std::int64_t rows = values.size(0);
    const at::Tensor apart = at::full({rows, k + kGap}, std::numeric_limits<float>::quiet_NaN());
    apart.slice(1, 0, k).copy_(values);
    words.resize(static_cast<std::size_t>(roundUp(rows, kernels::kTileRows) * wordsPerRow()));
    scales.resize(static_cast<std::size_t>(rows));
    table.convert(dataType, {dataOf(apart), k + kGap, rows, k, words.data(), scales.data(), isTiled});
  }

  std::int64_t wordsPerRow() const { return kernels::wordsPerRow(dataType, k); }

  DataType dataType;
  std::int64_t k;
  bool isTiled;
  std::vector<std::uint32_t> words;
  std::vector<float> scales;
};

/// Rows, rounded to a data type.
struct Quantized {
  at::Tensor values;  // double; int8: the integers
  at::Tensor scales;  // float32 [rows, 1]; int8 only
};

inline Quantized quantize(DataType dataType, const at::Tensor& rows) {
  if (dataType == DataType::kFloat32) return {rows.to(at::kDouble), {}};
  if (dataType == DataType::kBfloat16) return {rows.to(at::kBFloat16).to(at::kDouble), {}};
  const at::Tensor maximum = rows.abs().amax(1, /*keepdim=*/true);
  const at::Tensor factors = at::where(maximum > 0, at::full_like(maximum, 127).div(maximum), 0.0);
  return {(rows * factors).round().to(at::kDouble), maximum / 127};
}

}  // namespace torch_t5::test
