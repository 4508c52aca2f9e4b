// Rows times panels.
// Included through kernels_template.h by one file for each instruction set: all that is here has internal linkage.
#pragma once

#include <cstdint>

#include "fused/kernels/kernels.h"
#include "fused/kernels/accumulators.h"

namespace torch_t5::kernels {
namespace {

/// Columns of a result that a panel of the right operand gives.
template <class Simd>
std::int64_t resultWidth(Finish finish) {
  return finish == Finish::kGate ? kPanelWidth<Simd> / 2 : kPanelWidth<Simd>;
}

/// The part of a product that is one panel's.
template <class Simd>
Product panelOf(const Product& product, std::int64_t panel) {
  const std::int64_t column = panel * kPanelWidth<Simd>;
  const std::int64_t width = resultWidth<Simd>(product.finish);
  Product own = product;
  own.panels += column * product.words;
  if (own.panelScales != nullptr) own.panelScales += column;
  if (own.panelOffsets != nullptr) own.panelOffsets += column;
  if (own.result != nullptr) own.result += panel * width;
  if (own.narrowResult != nullptr) own.narrowResult += panel * width;
  const std::int64_t left = product.columns - panel * width;
  own.columns = left < width ? left : width;
  return own;
}

template <class Simd>
std::int64_t panelsOf(const Product& product) {
  const std::int64_t width = resultWidth<Simd>(product.finish);
  return (product.columns + width - 1) / width;
}

/// How far ahead of rows that go through a panel at the speed of memory its words are fetched.
constexpr std::int64_t kWordsAhead = 64;

/// A result that lies in no cache would be waited for when it is written.
template <class Simd, int Rows>
void fetchResult(const Target& target) {
  for (int r = 0; r < Rows; ++r) {
    for (std::int64_t line = 0; line < kPanelWidth<Simd>; line += kWordsPerLine)
      Simd::fetch(target.result + r * target.stride + line);
  }
}

/// What is fetched of a panel's words while others are used: none, one of their cache lines, or all.
struct PanelFetching {
  const std::uint32_t* from = nullptr;
  bool isWhole = false;
};

/// One group of a product's rows through one of its panels.
struct Pass {
  bool isFirstPanel = false;
  bool isLastPanel = false;
  bool isFirstGroup = false;
  std::int64_t followingGroups = 0;

  /// Nobody has fetched the first panel, nor one that is read once: who reads it does, a little ahead.
  bool isUnfetched() const { return isFirstGroup && (isFirstPanel || followingGroups == 0); }
};

/// The panel that follows is fetched by
/// the last groups of rows, a line of its words each: by one alone it would come faster than memory gives it.
template <class Simd>
PanelFetching fetchingOf(const Product& product, const Pass& pass) {
  if (pass.isUnfetched()) return {product.panels + kWordsAhead * kPanelWidth<Simd>, true};
  if (pass.isLastPanel || pass.followingGroups >= kLinesPerWord<Simd>) return {};
  return {product.panels + product.words * kPanelWidth<Simd> + pass.followingGroups * kWordsPerLine, false};
}

template <class Simd, class Dot, int Rows>
void multiplyRows(const Product& product, std::int64_t first, const PanelFetching& fetching) {
  const Target target = targetOf(product, first);
  if (target.result != nullptr && product.finish != Finish::kStream) fetchResult<Simd, Rows>(target);
  Sums<Simd, Dot, Rows> sums;
  sums.clear();
  const std::uint32_t* rows = product.rows + first * product.words;
  if (fetching.from == nullptr) {
    sums.add(rows, product.words, product.panels, kPanelWidth<Simd>, product.words);
  } else if (fetching.isWhole) {
    sums.template addFetching<kLinesPerWord<Simd>>(rows, product.words, product.panels, product.words, fetching.from);
  } else {
    sums.template addFetching<1>(rows, product.words, product.panels, product.words, fetching.from);
  }
  if constexpr (Dot::kIsInteger) scaleSums<Simd, Rows>(product, first, sums.values);
  finishRows<Simd, Rows>(product, target, sums.values);
}

template <class Simd, class Dot>
void multiplyAs(const Product& product) {
  const std::int64_t panels = panelsOf<Simd>(product);
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const Product own = panelOf<Simd>(product, panel);
    inGroups<Simd>(product.rowCount, [&](std::int64_t first, std::int64_t size, std::int64_t following) {
      const PanelFetching fetching = fetchingOf<Simd>(own, {panel == 0, panel + 1 == panels, first == 0, following});
      withConstant<Simd::kMostRows>(size, [&]<int Rows>() { multiplyRows<Simd, Dot, Rows>(own, first, fetching); });
    });
  }
  if (product.finish == Finish::kStream) Simd::finishStreams();
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
