// GEMM: rows times panels, with an epilogue.
// Internal linkage: see kernels_template.h.
#pragma once

#include <cstdint>

#include "fused/kernels/accumulators.h"
#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

/// How many words ahead a panel is prefetched if its words are used as fast as memory delivers them.
constexpr std::int64_t kPrefetchDistance = 64;

/// Words of a panel that are prefetched while another part is multiplied.
struct PanelPrefetch {
  const std::uint32_t* start = nullptr;  // null: nothing is prefetched
  bool isWhole = false;                  // all cache lines of each word, or only one
};

/// A step of the GEMM loops: one group of rows times one panel.
struct GemmStep {
  bool isFirstPanel = false;
  bool isLastPanel = false;
  bool isFirstGroup = false;
  std::int64_t remainingGroups = 0;  // of this panel, after this one

  /// Whether no earlier step has prefetched this panel: it is the first panel, or only one group reads each panel. Then
  /// this step prefetches it, `kPrefetchDistance` ahead.
  bool prefetchesOwnPanel() const { return isFirstGroup && (isFirstPanel || remainingGroups == 0); }
};

/// Columns of the result that one panel gives.
template <class Simd>
std::int64_t resultColumnsPerPanel(Epilogue epilogue) {
  return epilogue == Epilogue::kGate ? kPanelWidth<Simd> / 2 : kPanelWidth<Simd>;
}

template <class Simd>
std::int64_t panelCount(const GemmArgs& args) {
  const std::int64_t width = resultColumnsPerPanel<Simd>(args.epilogue);
  return (args.columns + width - 1) / width;
}

/// The arguments for one panel.
template <class Simd>
GemmArgs panelArgs(const GemmArgs& args, std::int64_t panel) {
  const std::int64_t column = panel * kPanelWidth<Simd>;
  const std::int64_t width = resultColumnsPerPanel<Simd>(args.epilogue);
  GemmArgs part = args;
  part.panels += column * args.words;
  if (part.panelScales != nullptr) part.panelScales += column;
  if (part.panelCompensation != nullptr) part.panelCompensation += column;
  if (part.result != nullptr) part.result += panel * width;
  if (part.bf16Result != nullptr) part.bf16Result += panel * width;
  const std::int64_t left = args.columns - panel * width;
  part.columns = left < width ? left : width;
  return part;
}

/// Prefetches a result, because a store to a line that no cache holds waits for memory.
template <class Simd, int Rows>
void prefetchResult(const OutputRows& output) {
  for (int r = 0; r < Rows; ++r) {
    for (std::int64_t line = 0; line < kPanelWidth<Simd>; line += kWordsPerLine)
      Simd::prefetch(output.result + r * output.stride + line);
  }
}

/// The last groups of rows prefetch the next panel, each one cache line of every word: one group alone would prefetch
/// faster than memory delivers.
template <class Simd>
PanelPrefetch choosePrefetch(const GemmArgs& args, const GemmStep& step) {
  if (step.prefetchesOwnPanel()) return {args.panels + kPrefetchDistance * kPanelWidth<Simd>, true};
  if (step.isLastPanel || step.remainingGroups >= kLinesPerWord<Simd>) return {};
  return {args.panels + args.words * kPanelWidth<Simd> + step.remainingGroups * kWordsPerLine, false};
}

/// `Rows` rows from `first` on times one panel.
template <class Simd, class Dot, int Rows>
void multiplyRows(const GemmArgs& args, std::int64_t first, const PanelPrefetch& prefetch) {
  const OutputRows output = outputRows(args, first);
  if (output.result != nullptr && args.epilogue != Epilogue::kStream) prefetchResult<Simd, Rows>(output);
  Accumulators<Simd, Dot, Rows> accumulators;
  accumulators.clear();
  const std::uint32_t* rows = args.rows + first * args.words;
  if (prefetch.start == nullptr) {
    accumulators.add(rows, args.words, args.panels, kPanelWidth<Simd>, args.words);
  } else if (prefetch.isWhole) {
    accumulators.template addWithPrefetch<kLinesPerWord<Simd>>(rows, args.words, args.panels, args.words,
                                                               prefetch.start);
  } else {
    accumulators.template addWithPrefetch<1>(rows, args.words, args.panels, args.words, prefetch.start);
  }
  if constexpr (Dot::kIsInteger) dequantize<Simd, Rows>(args, first, accumulators.values);
  applyEpilogue<Simd, Rows>(args, output, accumulators.values);
}

template <class Simd, class Dot>
void gemmWith(const GemmArgs& args) {
  const std::int64_t panels = panelCount<Simd>(args);
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const GemmArgs part = panelArgs<Simd>(args, panel);
    forEachRowGroup<Simd>(args.rowCount, [&](std::int64_t first, std::int64_t size, std::int64_t remaining) {
      const PanelPrefetch prefetch =
          choosePrefetch<Simd>(part, {panel == 0, panel + 1 == panels, first == 0, remaining});
      withConstant<Simd::kMaxRows>(size, [&]<int Rows>() { multiplyRows<Simd, Dot, Rows>(part, first, prefetch); });
    });
  }
  if (args.epilogue == Epilogue::kStream) Simd::streamFence();
}

template <class Simd>
void gemm(DataType dataType, const GemmArgs& args) {
  switch (dataType) {
    case DataType::kFloat32:
      return gemmWith<Simd, typename Simd::Float32Dot>(args);
    case DataType::kBfloat16:
      return gemmWith<Simd, typename Simd::Bf16Dot>(args);
    case DataType::kInt8:
      return gemmWith<Simd, typename Simd::Int8Dot>(args);
  }
}

}  // namespace
}  // namespace torch_t5::kernels
