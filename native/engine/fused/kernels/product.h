// Rows times a panel.
// Included through kernels_template.h by one file for each instruction set: all that is here has internal linkage.
#pragma once

#include <cstdint>

#include "engine/fused/kernels/kernels.h"
#include "engine/fused/kernels/sums.h"

namespace torch_t5::kernels {
namespace {

template <class Simd, class Dot, int Rows>
void multiplyRows(const Product& product, std::int64_t first, bool isLast) {
  Sums<Simd, Dot, Rows> sums;
  sums.clear();
  const std::uint32_t* rows = product.rows + first * product.rowStride;
  if (isLast && product.nextPanel != nullptr) {
    sums.addFetching(rows, product.rowStride, product.panel, product.words, product.nextPanel);
  } else {
    sums.add(rows, product.rowStride, product.panel, kPanelWidth<Simd>, product.words);
  }
  if constexpr (Dot::kIsInteger) scaleSums<Simd, Rows>(product, first, sums.values);
  finishRows<Simd, Rows>(product, first, sums.values);
}

template <class Simd, class Dot>
void multiplyAs(const Product& product) {
  // Few rows go through a panel once, at the speed of memory, and the processor itself fetches ahead.
  const bool fetches = product.rowCount > Simd::kMostRows;
  inGroups<Simd>(product.rowCount, [&](std::int64_t first, std::int64_t size, bool isLast) {
    withConstant<Simd::kMostRows>(
        size, [&]<int Rows>() { multiplyRows<Simd, Dot, Rows>(product, first, fetches && isLast); });
  });
}

template <class Simd>
void multiply(Format format, const Product& product) {
  switch (format) {
    case Format::kFloat32:
      return multiplyAs<Simd, typename Simd::Float32Dot>(product);
    case Format::kBfloat16:
      return multiplyAs<Simd, typename Simd::Bfloat16Dot>(product);
    case Format::kInt8:
      return multiplyAs<Simd, typename Simd::Int8Dot>(product);
  }
}

}  // namespace
}  // namespace torch_t5::kernels
