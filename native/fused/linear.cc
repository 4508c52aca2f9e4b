#include "fused/linear.h"

#include <algorithm>

#include "fused/sections.h"

namespace torch_t5 {
namespace {

using kernels::DataType;
using kernels::Epilogue;
using kernels::roundUp;

constexpr std::int64_t kTasksPerThread = 4;  // several, to balance the load

/// Rows of one chunk. All panels are multiplied with one chunk before the next, so it stays in a core's L2 cache.
std::int64_t rowsPerChunk(const Operand& operand, const Executor& executor) {
  const std::int64_t maxRows = executor.kernels.maxRows;
  const std::int64_t groups = executor.blocks.chunkWords / (operand.wordsPerRow() * maxRows);
  return std::max<std::int64_t>(1, groups) * maxRows;
}

/// Panels of one task. A task of several panels prefetches the next one.
std::int64_t panelsPerTask(std::int64_t panels, const Executor& executor) {
  constexpr std::int64_t kMaxPanels = 16;
  return std::clamp<std::int64_t>(panels / (executor.threads * kTasksPerThread), 1, kMaxPanels);
}

/// Rows of one task of an operation that reads each row once: a multiple of a tile's rows.
std::int64_t rowsPerTask(std::int64_t rows, std::int64_t columns, const Executor& executor) {
  constexpr std::int64_t kMinElements = std::int64_t{16} << 10;  // with fewer, another thread costs more than it saves
  const std::int64_t tasks = kTasksPerThread * executor.threads;
  const std::int64_t share = (rows + tasks - 1) / tasks;
  return roundUp(std::max({std::int64_t{1}, share, kMinElements / columns}), kernels::kTileRows);
}

kernels::RowArgs partOf(const kernels::RowArgs& args, DataType dataType, std::int64_t first, std::int64_t count) {
  kernels::RowArgs part = args;
  part.rows += first * args.rowStride;
  part.words += first * kernels::wordsPerRow(dataType, args.columns);
  if (part.scales != nullptr) part.scales += first;
  part.rowCount = count;
  return part;
}

/// Calls `work(part, thread)` on all threads, for parts of the rows.
template <class Work>
void forEachPart(const Executor& executor, const kernels::RowArgs& args, DataType dataType, Work&& work) {
  // These 16 MB take some milliseconds where the memory is new.
  constexpr std::int64_t kElementsPerSection = std::int64_t{1} << 22;
  const std::int64_t rowsPerSection = roundUp(kElementsPerSection / args.columns + 1, kernels::kTileRows);
  forEachSection(args.rowCount, rowsPerSection, [&](std::int64_t first, std::int64_t count) {
    const kernels::RowArgs section = partOf(args, dataType, first, count);
    const std::int64_t size = rowsPerTask(count, args.columns, executor);
    executor.run((count + size - 1) / size, [&](std::int64_t task, std::int64_t thread) {
      work(partOf(section, dataType, task * size, std::min(size, count - task * size)), thread);
    });
  });
}

/// Memory for the words of `rows` rows, tiled or not.
std::uint32_t* takeWords(Scratch& scratch, std::int64_t rows, std::int64_t words) {
  return scratch.take<std::uint32_t>(roundUp(rows, kernels::kTileRows) * words);
}

kernels::RowArgs takeRowArgs(const Executor& executor, Scratch& scratch, DataType dataType, const FloatRows& rows) {
  const std::int64_t words = kernels::wordsPerRow(dataType, rows.columns);
  return {rows.data,
          rows.columns,
          rows.rows,
          rows.columns,
          takeWords(scratch, rows.rows, words),
          scratch.take<float>(rows.rows),
          kernels::usesTiles(executor.kernels, dataType, words)};
}

Operand toOperand(DataType dataType, const kernels::RowArgs& args) {
  return {dataType, args.words, args.scales, args.rowCount, args.columns, args.isTiled};
}

/// Products of one section of a long operand: these take one thread some tens of milliseconds.
constexpr std::int64_t kProductsPerSection = std::int64_t{1} << 30;

void multiplyInto(const Executor& executor, const Operand& operand, const PackedMatrix& matrix,
                  const Destination& result, Epilogue epilogue, Activation activation) {
  const std::int64_t width = executor.kernels.panelWidth / (epilogue == Epilogue::kGate ? 2 : 1);
  const std::int64_t panels = (result.columns + width - 1) / width;
  const std::int64_t chunk = rowsPerChunk(operand, executor);
  // With a gate, two panels give the columns of one tile.
  const std::int64_t group = roundUp(panelsPerTask(panels, executor), epilogue == Epilogue::kGate ? 2 : 1);
  const std::int64_t groups = (panels + group - 1) / group;
  const auto multiplyChunk = [&](std::int64_t first, std::int64_t count, std::int64_t task) {
    kernels::GemmArgs args;
    args.rows = operand.words + first * operand.wordsPerRow();
    args.areRowsTiled = operand.isTiled;
    args.rowScales = operand.scales == nullptr ? nullptr : operand.scales + first;
    args.rowCount = count;
    args.isBf16ResultTiled = result.isBf16Tiled;
    args.resultStride = result.columns;
    args.epilogue = epilogue;
    args.activation = activation;
    const std::int64_t begin = task * group;
    matrix.setPanels(begin, args);
    args.columns = std::min(group * width, result.columns - begin * width);
    const std::int64_t row = first * result.columns;
    const std::int64_t column = begin * width;
    if (result.floats != nullptr) args.result = result.floats + row + column;
    if (result.bf16 != nullptr)
      args.bf16Result = result.bf16 + row + (result.isBf16Tiled ? kernels::tiledColumnOffset(column) : column);
    executor.kernels.gemm(operand.dataType, args);
  };
  const std::int64_t chunksPerSection =
      std::max<std::int64_t>(1, kProductsPerSection / (chunk * operand.k * panels * width));
  forEachSection(operand.rows, chunksPerSection * chunk, [&](std::int64_t begin, std::int64_t count) {
    const std::int64_t chunks = (count + chunk - 1) / chunk;
    executor.run(chunks * groups, [&](std::int64_t task, std::int64_t) {
      const std::int64_t first = task / groups * chunk;
      multiplyChunk(begin + first, std::min(chunk, count - first), task % groups);
    });
  });
}

}  // namespace

Bf16Operand takeBf16Operand(Scratch& scratch, std::int64_t rows, std::int64_t columns, bool isTiled) {
  std::uint32_t* words = takeWords(scratch, rows, kernels::wordsPerRow(DataType::kBfloat16, columns));
  return {reinterpret_cast<std::uint16_t*>(words), {DataType::kBfloat16, words, nullptr, rows, columns, isTiled}};
}

Operand convert(const Executor& executor, Scratch& scratch, DataType dataType, const FloatRows& rows) {
  if (dataType == DataType::kFloat32)
    return {dataType, reinterpret_cast<const std::uint32_t*>(rows.data), nullptr, rows.rows, rows.columns, false};
  const kernels::RowArgs converted = takeRowArgs(executor, scratch, dataType, rows);
  forEachPart(executor, converted, dataType,
              [&](const kernels::RowArgs& part, std::int64_t) { executor.kernels.convert(dataType, part); });
  return toOperand(dataType, converted);
}

Operand normalize(const Executor& executor, Scratch& scratch, DataType dataType, const FloatRows& rows,
                  const float* weight, float epsilon) {
  const kernels::RowArgs normalized = takeRowArgs(executor, scratch, dataType, rows);
  float* row = scratch.take<float>(executor.threads * rows.columns);
  forEachPart(executor, normalized, dataType, [&](const kernels::RowArgs& part, std::int64_t thread) {
    executor.kernels.normalize(dataType, part, weight, epsilon, row + thread * rows.columns);
  });
  return toOperand(dataType, normalized);
}

void normalizeTo(const Executor& executor, const FloatRows& rows, const float* weight, float epsilon,
                 const FloatRows& result) {
  const kernels::RowArgs floats{
      rows.data, rows.columns, rows.rows, rows.columns, reinterpret_cast<std::uint32_t*>(result.data), nullptr, false};
  forEachPart(executor, floats, DataType::kFloat32, [&](const kernels::RowArgs& part, std::int64_t) {
    executor.kernels.normalize(DataType::kFloat32, part, weight, epsilon, nullptr);
  });
}

void multiply(const Executor& executor, const Operand& operand, const PackedMatrix& matrix, const FloatRows& result,
              Epilogue epilogue, Activation activation) {
  multiplyInto(executor, operand, matrix, {result.data, nullptr, false, result.columns}, epilogue, activation);
}

WordRows multiplyToWords(const Executor& executor, Scratch& scratch, const Operand& operand, const PackedMatrix& matrix,
                         DataType dataType) {
  const std::int64_t columns = matrix.columns();
  const std::int64_t stride = kernels::wordsPerRow(dataType, columns);
  auto* words = scratch.take<std::uint32_t>(operand.rows * stride);
  if (dataType == DataType::kBfloat16) {
    multiplyInto(executor, operand, matrix, {nullptr, reinterpret_cast<std::uint16_t*>(words), false, columns},
                 Epilogue::kStore, Activation::kRelu);
  } else {
    multiply(executor, operand, matrix, {reinterpret_cast<float*>(words), operand.rows, columns});
  }
  return {words, stride};
}

Operand multiplyToOperand(const Executor& executor, Scratch& scratch, const Operand& operand,
                          const PackedMatrix& matrix, std::int64_t columns, Epilogue epilogue, Activation activation) {
  // A bfloat16 result is tiled if the operand is. Whether that is possible depends only on the shapes.
  const std::int64_t multiple = operand.isTiled ? kernels::kTileBf16Columns : 2;
  if (operand.dataType == DataType::kBfloat16 && columns % multiple == 0) {
    const Bf16Operand result = takeBf16Operand(scratch, operand.rows, columns, operand.isTiled);
    multiplyInto(executor, operand, matrix, {nullptr, result.elements, operand.isTiled, columns}, epilogue, activation);
    return result.operand;
  }
  const FloatRows result{scratch.take<float>(operand.rows * columns), operand.rows, columns};
  multiply(executor, operand, matrix, result, epilogue, activation);
  return convert(executor, scratch, operand.dataType, result);
}

}  // namespace torch_t5
