#include "fused/embedding.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/round.h>

#include <algorithm>
#include <numeric>

#include "core/platform/huge_pages.h"
#include "fused/sections.h"

namespace torch_t5 {
namespace {

using kernels::DataType;

template <class Element>
void copyRow(const at::Tensor& table, std::int64_t id, float* row, std::int64_t columns) {
  std::copy_n(table.const_data_ptr<Element>() + id * columns, columns, row);
}

}  // namespace

Embedding::Embedding(const at::Tensor& weight, DataType dataType) {
  if (dataType != DataType::kInt8) {
    table_ = emptyInHugePages(weight.sizes(), dataType == DataType::kFloat32 ? at::kFloat : at::kBFloat16);
    table_.copy_(weight);
    return;
  }
  scales_ = at::amax(weight.abs(), {1}) / kernels::kMaxInt8;
  table_ = emptyInHugePages(weight.sizes(), at::kChar);
  table_.copy_(at::round(weight / scales_.clamp_min(1e-30).unsqueeze(1)));
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
