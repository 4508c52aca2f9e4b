#include "fused/embedding.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/round.h>

#include <algorithm>
#include <numeric>

#include "core/platform/huge_pages.h"

namespace torch_t5 {
namespace {

using kernels::Format;

constexpr double kMostInt8 = 127;

template <class Number>
void copyRow(const at::Tensor& table, std::int64_t id, float* row, std::int64_t columns) {
  std::copy_n(table.const_data_ptr<Number>() + id * columns, columns, row);
}

}  // namespace

Embedding::Embedding(const at::Tensor& weight, Format format) {
  if (format != Format::kInt8) {
    table_ = emptyInHugePages(weight.sizes(), format == Format::kFloat32 ? at::kFloat : at::kBFloat16);
    table_.copy_(weight);
    return;
  }
  scales_ = at::amax(weight.abs(), {1}) / kMostInt8;
  table_ = emptyInHugePages(weight.sizes(), at::kChar);
  table_.copy_(at::round(weight / scales_.clamp_min(1e-30).unsqueeze(1)));
}

void Embedding::read(const Parallel& parallel, const std::vector<std::int64_t>& ids, const FloatRows& result) const {
  constexpr std::int64_t kIdsPerTask = 16;
  const auto count = static_cast<std::int64_t>(ids.size());
  // In the order of their ids: columns of one panel lie among each other, and are read while it is in a cache.
  std::vector<std::int64_t> order(ids.size());
  std::iota(order.begin(), order.end(), 0);
  if (head_) {
    std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return ids[static_cast<std::size_t>(a)] < ids[static_cast<std::size_t>(b)];
    });
  }
  parallel.run((count + kIdsPerTask - 1) / kIdsPerTask, [&](std::int64_t task, std::int64_t) {
    const std::int64_t end = std::min(count, (task + 1) * kIdsPerTask);
    for (std::int64_t i = task * kIdsPerTask; i < end; ++i) {
      const std::int64_t row = order[static_cast<std::size_t>(i)];
      readRow(ids[static_cast<std::size_t>(row)], result.data + row * result.columns, result.columns);
    }
  });
}

void Embedding::readRow(std::int64_t id, float* row, std::int64_t columns) const {
  if (head_) return head_->readColumn(id, row);
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
