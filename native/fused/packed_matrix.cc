#include "fused/packed_matrix.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <span>

#include "core/cancellation.h"
#include "core/platform/huge_pages.h"
#include "fused/quantization.h"

namespace torch_t5 {
namespace {

using kernels::DataType;

static_assert(std::endian::native == std::endian::little, "the elements of a word are stored in the order of a row");

std::uint16_t toBf16(float number) { return c10::BFloat16(number).x; }

std::int64_t countRows(const std::vector<WeightRows>& rows) {
  return std::accumulate(rows.begin(), rows.end(), std::int64_t{0},
                         [](std::int64_t count, const WeightRows& part) { return count + part.count; });
}

/// The memory of a thread that packs panels.
struct PackingMemory {
  RowBuffer rows;
  std::vector<std::uint32_t> words;
};

}  // namespace

std::vector<WeightRows> weightRows(std::initializer_list<const WeightMatrix*> weights) {
  std::vector<WeightRows> rows;
  for (const WeightMatrix* weight : weights) rows.push_back({weight, 0, weight->rows()});
  return rows;
}

std::vector<WeightRows> gatedWeightRows(const WeightMatrix& gate, const WeightMatrix& up,
                                        const kernels::Kernels& kernels) {
  const std::int64_t half = kernels.panelWidth / 2;
  const std::int64_t count = gate.rows();
  std::vector<WeightRows> rows;
  for (std::int64_t first = 0; first < count; first += half) {
    const std::int64_t own = std::min(half, count - first);
    for (const WeightMatrix* side : {&gate, &up}) {
      rows.push_back({side, first, own});
      for (std::int64_t copy = own; copy < half; ++copy) rows.push_back({side, count - 1, 1});
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

PackedMatrix::PackedMatrix(const std::vector<WeightRows>& rows, DataType dataType, const Executor& executor)
    : PackedMatrix(executor.kernels, dataType, rows.front().weight->columns(), countRows(rows)) {
  CancellationScope::check();
  const std::int64_t width = kernels_->panelWidth;
  std::vector<std::int64_t> firsts;  // the first column of each part
  std::int64_t column = 0;
  for (const WeightRows& part : rows) {
    firsts.push_back(column);
    column += part.count;
  }
  std::vector<PackingMemory> memories(static_cast<std::size_t>(executor.threads));
  executor.runOrThrow(panels(), [&](std::int64_t panel, std::int64_t thread) {
    PackingMemory& memory = memories[static_cast<std::size_t>(thread)];
    const std::int64_t begin = panel * width;
    const std::int64_t end = std::min(columns_, begin + width);
    std::uint32_t* to = panelWords(panel);
    if (end - begin < width) std::memset(to, 0, static_cast<std::size_t>(words() * width) * sizeof *to);
    auto part = static_cast<std::size_t>(std::upper_bound(firsts.begin(), firsts.end(), begin) - firsts.begin()) - 1;
    for (std::int64_t first = begin; first < end; ++part) {
      const std::int64_t skipped = first - firsts[part];
      const std::int64_t count = std::min(rows[part].count - skipped, end - first);
      const float* numbers = rows[part].weight->read(rows[part].first + skipped, count, memory.rows);
      writeColumns(packRows(numbers, count, first, memory.words), count, first - begin, to);
      first += count;
    }
  });
}

/// Writes rows of words as columns of a panel, from column `first` on.
void PackedMatrix::writeColumns(const void* rows, std::int64_t count, std::int64_t first, std::uint32_t* panel) const {
  const auto* from = static_cast<const std::byte*>(rows);
  const std::int64_t wordCount = words();
  const kernels::PanelLayout to = layout();
  for (std::int64_t word = 0; word < wordCount; ++word) {
    const std::int64_t start = to.offset(first, word);
    const std::int64_t stride = to.offset(first + 1, word) - start;
    for (std::int64_t row = 0; row < count; ++row) {
      std::memcpy(panel + start + row * stride,
                  from + static_cast<std::size_t>(row * wordCount + word) * sizeof(std::uint32_t),
                  sizeof(std::uint32_t));
    }
  }
}

std::uint32_t* PackedMatrix::panelWords(std::int64_t panel) const {
  return static_cast<std::uint32_t*>(memory_.data_ptr()) + panel * words() * kernels_->panelWidth;
}

/// The words of some rows, one row after another: in `packed`, or for float32 the rows themselves. `column`: the first
/// row's.
const void* PackedMatrix::packRows(const float* rows, std::int64_t count, std::int64_t column,
                                   std::vector<std::uint32_t>& packed) {
  if (dataType_ == DataType::kFloat32) return rows;
  packed.assign(static_cast<std::size_t>(count * words()), 0);
  for (std::int64_t row = 0; row < count; ++row) {
    const std::span<const float> numbers(rows + row * k_, static_cast<std::size_t>(k_));
    std::uint32_t* to = packed.data() + row * words();
    if (dataType_ == DataType::kBfloat16) {
      auto* halves = reinterpret_cast<std::uint16_t*>(to);
      std::transform(numbers.begin(), numbers.end(), halves, toBf16);
      continue;
    }
    const float maximum = largestMagnitude(numbers);
    const float factor = maximum > 0 ? kernels::kMaxInt8 / maximum : 0;
    auto* bytes = reinterpret_cast<std::int8_t*>(to);
    std::transform(numbers.begin(), numbers.end(), bytes,
                   [factor](float number) { return roundToInt8(number * factor); });
    const std::int32_t sum = std::accumulate(bytes, bytes + k_, std::int32_t{0});
    scales_.data_ptr<float>()[column + row] = maximum / kernels::kMaxInt8;
    compensation_.data_ptr<std::int32_t>()[column + row] = sum * kernels::kInt8ZeroPoint;
  }
  return packed.data();
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
  const std::uint32_t* panel = panelWords(column / kernels_->panelWidth);
  const std::int64_t inPanel = column % kernels_->panelWidth;
  const kernels::PanelLayout at = layout();
  switch (dataType_) {
    case DataType::kFloat32:
      for (std::int64_t i = 0; i < k_; ++i) std::memcpy(elements + i, panel + at.offset(inPanel, i), sizeof *elements);
      return;
    case DataType::kBfloat16:
      for (std::int64_t i = 0; i < k_; ++i) {
        const auto half = static_cast<std::uint16_t>(panel[at.offset(inPanel, i / 2)] >> (16 * (i % 2)));
        elements[i] = c10::BFloat16(half, c10::BFloat16::from_bits());
      }
      return;
    case DataType::kInt8: {
      const float scale = scales_.const_data_ptr<float>()[column];
      for (std::int64_t i = 0; i < k_; ++i) {
        const auto byte = static_cast<std::int8_t>(panel[at.offset(inPanel, i / 4)] >> (8 * (i % 4)));
        elements[i] = static_cast<float>(byte) * scale;
      }
      return;
    }
  }
}

PackedMatrix PackedMatrix::selectColumns(const std::vector<std::int64_t>& columns) const {
  PackedMatrix selected(*kernels_, dataType_, k_, static_cast<std::int64_t>(columns.size()));
  const std::int64_t width = kernels_->panelWidth;
  const std::int64_t wordCount = words();
  const kernels::PanelLayout at = layout();
  selected.memory_.zero_();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto to = static_cast<std::int64_t>(i);
    const std::uint32_t* from = panelWords(columns[i] / width);
    std::uint32_t* panel = selected.panelWords(to / width);
    for (std::int64_t word = 0; word < wordCount; ++word)
      panel[at.offset(to % width, word)] = from[at.offset(columns[i] % width, word)];
    if (dataType_ != DataType::kInt8) continue;
    selected.scales_.data_ptr<float>()[to] = scales_.const_data_ptr<float>()[columns[i]];
    selected.compensation_.data_ptr<std::int32_t>()[to] = compensation_.const_data_ptr<std::int32_t>()[columns[i]];
  }
  return selected;
}

}  // namespace torch_t5
