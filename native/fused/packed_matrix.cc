#include "fused/packed_matrix.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/platform/huge_pages.h"

namespace torch_t5 {
namespace {

using kernels::DataType;

std::uint16_t toBf16(float number) { return c10::BFloat16(number).x; }

}  // namespace

WeightRows weightRows(const std::vector<at::Tensor>& weights) {
  WeightRows rows;
  for (const at::Tensor& weight : weights) {
    const auto* first = weight.const_data_ptr<float>();
    for (std::int64_t row = 0; row < weight.size(0); ++row) rows.push_back(first + row * weight.size(1));
  }
  return rows;
}

WeightRows gatedWeightRows(const at::Tensor& gate, const at::Tensor& up, const kernels::Kernels& kernels) {
  const std::int64_t half = kernels.panelWidth / 2;
  const std::int64_t count = gate.size(0);
  const WeightRows gateRows = weightRows({gate});
  const WeightRows upRows = weightRows({up});
  WeightRows rows;
  for (std::int64_t first = 0; first < count; first += half) {
    for (const WeightRows* side : {&gateRows, &upRows}) {
      for (std::int64_t row = first; row < first + half; ++row)
        rows.push_back((*side)[static_cast<std::size_t>(std::min(row, count - 1))]);
    }
  }
  return rows;
}

PackedMatrix::PackedMatrix(const kernels::Kernels& kernels, DataType dataType, std::int64_t k, std::int64_t columns)
    : kernels_(&kernels), dataType_(dataType), k_(k), columns_(columns) {
  memory_ = emptyInHugePages({panels(), words(), kernels.panelWidth}, at::kInt);
  if (dataType != DataType::kInt8) return;
  scales_ = at::zeros({panels(), kernels.panelWidth}, at::kFloat);
  compensation_ = at::zeros({panels(), kernels.panelWidth}, at::kInt);
}

PackedMatrix::PackedMatrix(const WeightRows& rows, std::int64_t k, DataType dataType, const Executor& executor)
    : PackedMatrix(executor.kernels, dataType, k, static_cast<std::int64_t>(rows.size())) {
  executor.run(panels(), [&](std::int64_t panel, std::int64_t) { packPanel(rows, panel); });
}

std::uint32_t* PackedMatrix::panelWords(std::int64_t panel) const {
  return static_cast<std::uint32_t*>(memory_.data_ptr()) + panel * words() * kernels_->panelWidth;
}

void PackedMatrix::packPanel(const WeightRows& rows, std::int64_t panel) {
  const std::int64_t width = kernels_->panelWidth;
  std::uint32_t* to = panelWords(panel);
  const std::int64_t first = panel * width;
  const std::int64_t filled = std::min(width, columns_ - first);
  if (filled < width) std::memset(to, 0, static_cast<std::size_t>(words() * width) * sizeof *to);
  for (std::int64_t column = 0; column < filled; ++column)
    packColumn(rows[static_cast<std::size_t>(first + column)], to + column, first + column);
}

/// Writes the words of one row, `panelWidth` apart.
void PackedMatrix::packColumn(const float* row, std::uint32_t* words, std::int64_t column) {
  const std::int64_t width = kernels_->panelWidth;
  switch (dataType_) {
    case DataType::kFloat32:
      for (std::int64_t i = 0; i < k_; ++i) std::memcpy(words + i * width, row + i, sizeof *row);
      return;
    case DataType::kBfloat16:
      for (std::int64_t i = 0; i < k_; i += 2) {
        const std::uint32_t second = i + 1 < k_ ? toBf16(row[i + 1]) : 0;
        words[i / 2 * width] = toBf16(row[i]) | (second << 16);
      }
      return;
    case DataType::kInt8: {
      float maximum = 0;
      for (std::int64_t i = 0; i < k_; ++i) maximum = std::max(maximum, std::fabs(row[i]));
      const float factor = maximum > 0 ? kernels::kMaxInt8 / maximum : 0;
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < k_; i += 4) {
        std::uint32_t word = 0;
        for (std::int64_t byte = 0; byte < 4 && i + byte < k_; ++byte) {
          const auto number = static_cast<std::int32_t>(std::nearbyint(row[i + byte] * factor));
          sum += number;
          word |= (static_cast<std::uint32_t>(number) & 0xFFU) << (8 * byte);
        }
        words[i / 4 * width] = word;
      }
      scales_.data_ptr<float>()[column] = maximum / kernels::kMaxInt8;
      compensation_.data_ptr<std::int32_t>()[column] = sum * kernels::kInt8ZeroPoint;
      return;
    }
  }
}

void PackedMatrix::setPanels(std::int64_t first, kernels::GemmArgs& args) const {
  const std::int64_t width = kernels_->panelWidth;
  args.panels = panelWords(first);
  args.words = words();
  if (dataType_ != DataType::kInt8) return;
  args.panelScales = scales_.const_data_ptr<float>() + first * width;
  args.panelCompensation = compensation_.const_data_ptr<std::int32_t>() + first * width;
}

void PackedMatrix::readColumn(std::int64_t column, float* elements) const {
  const std::int64_t width = kernels_->panelWidth;
  const std::uint32_t* from = panelWords(column / width) + column % width;
  switch (dataType_) {
    case DataType::kFloat32:
      for (std::int64_t i = 0; i < k_; ++i) std::memcpy(elements + i, from + i * width, sizeof *from);
      return;
    case DataType::kBfloat16:
      for (std::int64_t i = 0; i < k_; ++i) {
        const auto half = static_cast<std::uint16_t>(from[i / 2 * width] >> (16 * (i % 2)));
        elements[i] = c10::BFloat16(half, c10::BFloat16::from_bits());
      }
      return;
    case DataType::kInt8: {
      const float scale = scales_.const_data_ptr<float>()[column];
      for (std::int64_t i = 0; i < k_; ++i)
        elements[i] = static_cast<float>(static_cast<std::int8_t>(from[i / 4 * width] >> (8 * (i % 4)))) * scale;
      return;
    }
  }
}

PackedMatrix PackedMatrix::selectColumns(const std::vector<std::int64_t>& columns) const {
  PackedMatrix selected(*kernels_, dataType_, k_, static_cast<std::int64_t>(columns.size()));
  const std::int64_t width = kernels_->panelWidth;
  selected.memory_.zero_();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto to = static_cast<std::int64_t>(i);
    const std::uint32_t* from = panelWords(columns[i] / width) + columns[i] % width;
    std::uint32_t* words = selected.panelWords(to / width) + to % width;
    for (std::int64_t word = 0; word < this->words(); ++word) words[word * width] = from[word * width];
    if (dataType_ != DataType::kInt8) continue;
    selected.scales_.data_ptr<float>()[to] = scales_.const_data_ptr<float>()[columns[i]];
    selected.compensation_.data_ptr<std::int32_t>()[to] = compensation_.const_data_ptr<std::int32_t>()[columns[i]];
  }
  return selected;
}

}  // namespace torch_t5
