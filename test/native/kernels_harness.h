// What the tests of the kernels have in common.
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

using kernels::Format;
using kernels::Kernels;
using kernels::roundUp;

/// The tables from the best that the processor has down: each needs less of it than the one before.
inline std::vector<const Kernels*> usableKernels() {
  std::vector<const Kernels*> usable;
  for (const Kernels* table : {kernels::amxKernels(), kernels::avx512Bf16Kernels(), kernels::avx512Kernels(),
                               kernels::avx2Kernels(), kernels::portableKernels()}) {
    if (table != nullptr && (table == &processorKernels() || !usable.empty())) usable.push_back(table);
  }
  expect(!usable.empty(), "kernels for this processor");
  return usable;
}

inline const char* nameOf(Format format) {
  return format == Format::kFloat32 ? "float32" : format == Format::kBfloat16 ? "bfloat16" : "int8";
}

inline constexpr std::array kFormats{Format::kFloat32, Format::kBfloat16, Format::kInt8};

inline float* dataOf(const at::Tensor& tensor) { return tensor.data_ptr<float>(); }

inline bool areSameBits(const float* a, const float* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof *a) == 0;
}

/// What numbers should be, and how far off they may be.
struct Expected {
  at::Tensor numbers;
  at::Tensor tolerance;
};

/// Number by number. Nothing is close to what is not a number.
inline void expectWithin(const at::Tensor& received, const Expected& expected, const std::string& what) {
  const at::Tensor excess = (received.to(at::kDouble) - expected.numbers).abs() - expected.tolerance;
  expect(excess.le(0).all().item<bool>(),
         what + ", but a number is too far off by " + std::to_string(excess.max().item<double>()));
}

/// bfloat16 numbers in tiles [rows in whole tiles, columns] as rows [rows, columns].
inline at::Tensor untiled(const at::Tensor& tiled) {
  const std::int64_t columns = tiled.size(1);
  return tiled.view({-1, columns / kernels::kTileBfloat16s, kernels::kTileRows, kernels::kTileBfloat16s})
      .transpose(1, 2)
      .reshape({-1, columns});
}

/// The left operand of products: what `convert` makes of rows [n, inner] that don't lie close together.
struct Operand {
  /// `inTiles`: if the kernels want that.
  Operand(const Kernels& table, Format format, const at::Tensor& numbers, bool inTiles)
      : format(format),
        inner(numbers.size(1)),
        areTiled(inTiles && kernels::wantTiles(table, format, kernels::wordsPerRow(format, numbers.size(1)))) {
    constexpr std::int64_t kGap = 5;
    const std::int64_t rows = numbers.size(0);
    const at::Tensor apart = at::full({rows, inner + kGap}, std::numeric_limits<float>::quiet_NaN());
    apart.slice(1, 0, inner).copy_(numbers);
    words.resize(static_cast<std::size_t>(roundUp(rows, kernels::kTileRows) * wordsPerRow()));
    scales.resize(static_cast<std::size_t>(rows));
    table.convert(format, {dataOf(apart), inner + kGap, rows, inner, words.data(), scales.data(), areTiled});
  }

  std::int64_t wordsPerRow() const { return kernels::wordsPerRow(format, inner); }

  Format format;
  std::int64_t inner;
  bool areTiled;
  std::vector<std::uint32_t> words;
  std::vector<float> scales;
};

/// Rows as a format holds them.
struct Held {
  at::Tensor numbers;  // double; int8: the integers
  at::Tensor scales;   // float32 [rows, 1]; int8 only
};

inline Held hold(Format format, const at::Tensor& rows) {
  if (format == Format::kFloat32) return {rows.to(at::kDouble), {}};
  if (format == Format::kBfloat16) return {rows.to(at::kBFloat16).to(at::kDouble), {}};
  const at::Tensor greatest = rows.abs().amax(1, /*keepdim=*/true);
  const at::Tensor factors = at::where(greatest > 0, at::full_like(greatest, 127).div(greatest), 0.0);
  return {(rows * factors).round().to(at::kDouble), greatest / 127};
}

}  // namespace torch_t5::test
