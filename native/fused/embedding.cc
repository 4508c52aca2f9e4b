#include "fused/embedding.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

#include "core/cancellation.h"
#include "core/platform/huge_pages.h"
#include "fused/quantization.h"
#include "fused/sections.h"

namespace torch_t5 {
namespace {

using kernels::DataType;

template <class Element>
void copyRow(const at::Tensor& table, std::int64_t id, float* row, std::int64_t columns) {
  std::copy_n(table.const_data_ptr<Element>() + id * columns, columns, row);
}

at::ScalarType scalarTypeOf(DataType dataType) {
  switch (dataType) {
    case DataType::kBfloat16:
      return at::kBFloat16;
    case DataType::kInt8:
      return at::kChar;
    default:
      return at::kFloat;
  }
}

}  // namespace

Embedding::Embedding(const WeightMatrix& weight, DataType dataType, const Executor& executor) {
  CancellationScope::check();
  const std::int64_t columns = weight.columns();
  table_ = emptyInHugePages({weight.rows(), columns}, scalarTypeOf(dataType));
  if (dataType == DataType::kInt8) scales_ = at::empty({weight.rows()}, at::kFloat);
  constexpr std::int64_t kElementsPerTask = std::int64_t{1} << 15;  // 128 KiB of float32, which fit into the L2 cache
  const std::int64_t rowsPerTask = std::max<std::int64_t>(1, kElementsPerTask / columns);
  std::vector<RowBuffer> buffers(static_cast<std::size_t>(executor.threads));
  executor.runOrThrow((weight.rows() + rowsPerTask - 1) / rowsPerTask, [&](std::int64_t task, std::int64_t thread) {
    const std::int64_t first = task * rowsPerTask;
    const std::int64_t count = std::min(rowsPerTask, weight.rows() - first);
    const float* numbers = weight.read(first, count, buffers[static_cast<std::size_t>(thread)]);
    for (std::int64_t row = 0; row < count; ++row)
      writeRow({numbers + row * columns, static_cast<std::size_t>(columns)}, first + row);
  });
}

/// Converts a row to the table's type.
void Embedding::writeRow(std::span<const float> numbers, std::int64_t row) {
  const std::int64_t begin = row * static_cast<std::int64_t>(numbers.size());
  switch (table_.scalar_type()) {
    case at::kFloat:
      std::copy(numbers.begin(), numbers.end(), table_.mutable_data_ptr<float>() + begin);
      return;
    case at::kBFloat16:
      std::copy(numbers.begin(), numbers.end(), table_.mutable_data_ptr<at::BFloat16>() + begin);
      return;
    default: {
      const float scale = largestMagnitude(numbers) / kernels::kMaxInt8;
      scales_.mutable_data_ptr<float>()[row] = scale;
      constexpr float kMinScale = 1e-30F;  // of a row of zeros
      const float divisor = std::max(scale, kMinScale);
      std::transform(numbers.begin(), numbers.end(), table_.mutable_data_ptr<std::int8_t>() + begin,
                     [divisor](float number) { return roundToInt8(number / divisor); });
    }
  }
}

void Embedding::read(const Executor& executor, const std::vector<std::int64_t>& ids, const FloatRows& result) const {
  constexpr std::int64_t kIdsPerTask = 16;
  constexpr std::int64_t kIdsPerSection = 4096;
  const auto count = static_cast<std::int64_t>(ids.size());
  // Sorted by id: the columns of one panel share cache lines, so they are read one after another.
  std::vector<std::int64_t> order(ids.size());
  std::iota(order.begin(), order.end(), 0);
  if (lmHead_) {
    std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return ids[static_cast<std::size_t>(a)] < ids[static_cast<std::size_t>(b)];
    });
  }
  forEachSection(count, kIdsPerSection, [&](std::int64_t first, std::int64_t sectionCount) {
    executor.run((sectionCount + kIdsPerTask - 1) / kIdsPerTask, [&](std::int64_t task, std::int64_t) {
      const std::int64_t end = first + std::min(sectionCount, (task + 1) * kIdsPerTask);
      for (std::int64_t i = first + task * kIdsPerTask; i < end; ++i) {
        const std::int64_t row = order[static_cast<std::size_t>(i)];
        readRow(ids[static_cast<std::size_t>(row)], result.data + row * result.columns, result.columns);
      }
    });
  });
}

void Embedding::readRow(std::int64_t id, float* row, std::int64_t columns) const {
  if (lmHead_) return lmHead_->readColumn(id, row);
  switch (table_.scalar_type()) {
    case at::kFloat:
      return copyRow<float>(table_, id, row, columns);
    case at::kBFloat16:
      return copyRow<at::BFloat16>(table_, id, row, columns);
    default:
      copyRow<std::int8_t>(table_, id, row, columns);
      for (std::int64_t i = 0; i < columns; ++i) row[i] *= scales_.const_data_ptr<float>()[id];
  }
}

}  // namespace torch_t5
