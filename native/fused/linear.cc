#include "fused/linear.h"

#include <algorithm>

namespace torch_t5 {
namespace {

using kernels::Finish;
using kernels::Format;
using kernels::roundUp;

/// Rows that go through all panels before the next ones do: so many that they stay in a core's second cache.
std::int64_t rowsPerChunk(const Operand& operand, const Parallel& parallel) {
  // Processors that have tiles have 2 MB of it.
  const std::int64_t cacheWords = std::int64_t{parallel.kernels.hasTiles ? 192 : 96} << 10;
  const std::int64_t most = parallel.kernels.mostRows;
  const std::int64_t groups = cacheWords / (operand.wordsPerRow() * most);
  return std::max<std::int64_t>(1, groups) * most;
}

/// Panels that a thread takes at once: enough tasks for all threads, and yet a next panel to fetch ahead.
std::int64_t panelsPerTask(std::int64_t panels, const Parallel& parallel) {
  constexpr std::int64_t kTasksPerThread = 4;
  constexpr std::int64_t kMost = 16;
  return std::clamp<std::int64_t>(panels / (parallel.threads * kTasksPerThread), 1, kMost);
}

/// Rows for one task of an operation that reads each row once: whole tiles.
std::int64_t rowsPerTask(std::int64_t rows, std::int64_t columns, const Parallel& parallel) {
  constexpr std::int64_t kLeastNumbers = std::int64_t{16} << 10;  // below, another thread isn't worth its start
  const std::int64_t share = (rows + 4 * parallel.threads - 1) / (4 * parallel.threads);
  return roundUp(std::max({std::int64_t{1}, share, kLeastNumbers / columns}), kernels::kTileRows);
}

/// Calls `work(part, thread)` for parts of the rows, on all threads.
template <class Work>
void inParts(const Parallel& parallel, kernels::Rows rows, Format format, Work&& work) {
  const std::int64_t size = rowsPerTask(rows.rowCount, rows.columns, parallel);
  const std::int64_t words = kernels::wordsPerRow(format, rows.columns);
  parallel.run((rows.rowCount + size - 1) / size, [&](std::int64_t task, std::int64_t thread) {
    const std::int64_t first = task * size;
    kernels::Rows part = rows;
    part.rows += first * rows.rowStride;
    part.words += first * words;
    if (part.scales != nullptr) part.scales += first;
    part.rowCount = std::min(size, rows.rowCount - first);
    work(part, thread);
  });
}

/// Room for the words of so many rows, which may lie in tiles.
std::uint32_t* takeWords(Scratch& scratch, std::int64_t rows, std::int64_t words) {
  return scratch.take<std::uint32_t>(roundUp(rows, kernels::kTileRows) * words);
}

kernels::Rows takeRows(const Parallel& parallel, Scratch& scratch, Format format, const FloatRows& rows) {
  const std::int64_t words = kernels::wordsPerRow(format, rows.columns);
  return {rows.data,
          rows.columns,
          rows.rows,
          rows.columns,
          takeWords(scratch, rows.rows, words),
          scratch.take<float>(rows.rows),
          kernels::wantTiles(parallel.kernels, format, words)};
}

Operand operandOf(Format format, const kernels::Rows& rows) {
  return {format, rows.words, rows.scales, rows.rowCount, rows.columns, rows.areTiled};
}

}  // namespace

NarrowOperand takeNarrow(Scratch& scratch, std::int64_t rows, std::int64_t columns, bool areTiled) {
  std::uint32_t* words = takeWords(scratch, rows, kernels::wordsPerRow(Format::kBfloat16, columns));
  return {reinterpret_cast<std::uint16_t*>(words), {Format::kBfloat16, words, nullptr, rows, columns, areTiled}};
}

Operand convert(const Parallel& parallel, Scratch& scratch, Format format, const FloatRows& rows) {
  if (format == Format::kFloat32)
    return {format, reinterpret_cast<const std::uint32_t*>(rows.data), nullptr, rows.rows, rows.columns, false};
  const kernels::Rows converted = takeRows(parallel, scratch, format, rows);
  inParts(parallel, converted, format,
          [&](const kernels::Rows& part, std::int64_t) { parallel.kernels.convert(format, part); });
  return operandOf(format, converted);
}

Operand normalize(const Parallel& parallel, Scratch& scratch, Format format, const FloatRows& rows, const float* weight,
                  float epsilon) {
  const kernels::Rows normalized = takeRows(parallel, scratch, format, rows);
  float* row = scratch.take<float>(parallel.threads * rows.columns);
  inParts(parallel, normalized, format, [&](const kernels::Rows& part, std::int64_t thread) {
    parallel.kernels.normalize(format, part, weight, epsilon, row + thread * rows.columns);
  });
  return operandOf(format, normalized);
}

void normalizeTo(const Parallel& parallel, const FloatRows& rows, const float* weight, float epsilon,
                 const FloatRows& result) {
  const kernels::Rows floats{
      rows.data, rows.columns, rows.rows, rows.columns, reinterpret_cast<std::uint32_t*>(result.data), nullptr, false};
  inParts(parallel, floats, Format::kFloat32, [&](const kernels::Rows& part, std::int64_t) {
    parallel.kernels.normalize(Format::kFloat32, part, weight, epsilon, nullptr);
  });
}

namespace {

/// Where a product goes: floats, or bfloat16 numbers.
struct Destination {
  float* floats = nullptr;
  std::uint16_t* narrow = nullptr;
  bool isNarrowTiled = false;
  std::int64_t columns = 0;  // and numbers from row to row
};

void multiplyInto(const Parallel& parallel, const Operand& operand, const PackedMatrix& matrix,
                  const Destination& result, Finish finish, Activation activation) {
  const std::int64_t width = parallel.kernels.panelWidth / (finish == Finish::kGate ? 2 : 1);
  const std::int64_t panels = (result.columns + width - 1) / width;
  const std::int64_t chunk = rowsPerChunk(operand, parallel);
  // Two gated panels give the columns of one tile.
  const std::int64_t group = roundUp(panelsPerTask(panels, parallel), finish == Finish::kGate ? 2 : 1);
  const std::int64_t groups = (panels + group - 1) / group;
  const std::int64_t chunks = (operand.rows + chunk - 1) / chunk;
  parallel.run(chunks * groups, [&](std::int64_t task, std::int64_t) {
    const std::int64_t first = task / groups * chunk;
    kernels::Product product;
    product.rows = operand.words + first * operand.wordsPerRow();
    product.areTiled = operand.areTiled;
    product.rowScales = operand.scales == nullptr ? nullptr : operand.scales + first;
    product.rowCount = std::min(chunk, operand.rows - first);
    product.isNarrowTiled = result.isNarrowTiled;
    product.resultStride = result.columns;
    product.finish = finish;
    product.activation = activation;
    const std::int64_t begin = task % groups * group;
    matrix.choosePanels(begin, product);
    product.columns = std::min(group * width, result.columns - begin * width);
    const std::int64_t row = first * result.columns;
    const std::int64_t column = begin * width;
    if (result.floats != nullptr) product.result = result.floats + row + column;
    if (result.narrow != nullptr)
      product.narrowResult = result.narrow + row + (result.isNarrowTiled ? kernels::tiledColumn(column) : column);
    parallel.kernels.multiply(operand.format, product);
  });
}

}  // namespace

void multiply(const Parallel& parallel, const Operand& operand, const PackedMatrix& matrix, const FloatRows& result,
              Finish finish, Activation activation) {
  multiplyInto(parallel, operand, matrix, {result.data, nullptr, false, result.columns}, finish, activation);
}

WordRows multiplyToWords(const Parallel& parallel, Scratch& scratch, const Operand& operand, const PackedMatrix& matrix,
                         Format format) {
  const std::int64_t columns = matrix.columns();
  const std::int64_t stride = kernels::wordsPerRow(format, columns);
  auto* words = scratch.take<std::uint32_t>(operand.rows * stride);
  if (format == Format::kBfloat16) {
    multiplyInto(parallel, operand, matrix, {nullptr, reinterpret_cast<std::uint16_t*>(words), false, columns},
                 Finish::kStore, Activation::kRelu);
  } else {
    multiply(parallel, operand, matrix, {reinterpret_cast<float*>(words), operand.rows, columns});
  }
  return {words, stride};
}

Operand multiplyToOperand(const Parallel& parallel, Scratch& scratch, const Operand& operand,
                          const PackedMatrix& matrix, std::int64_t columns, Finish finish, Activation activation) {
  // What is narrowed lies as the rows do; whether it can depends on the shapes alone.
  const std::int64_t multiple = operand.areTiled ? kernels::kTileBfloat16s : 2;
  if (operand.format == Format::kBfloat16 && columns % multiple == 0) {
    const NarrowOperand narrow = takeNarrow(scratch, operand.rows, columns, operand.areTiled);
    multiplyInto(parallel, operand, matrix, {nullptr, narrow.numbers, operand.areTiled, columns}, finish, activation);
    return narrow.operand;
  }
  const FloatRows result{scratch.take<float>(operand.rows * columns), operand.rows, columns};
  multiply(parallel, operand, matrix, result, finish, activation);
  return convert(parallel, scratch, operand.format, result);
}

}  // namespace torch_t5
