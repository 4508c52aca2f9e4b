#include "fused/lm_head.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "engine/tensors.h"
#include "fused/sections.h"

namespace torch_t5 {
namespace {

/// Rows of one product: those of several parts, or some of a part's.
constexpr std::int64_t kMaxRows = 256;

/// The index of the highest value, the first of equal ones, as `torch.argmax`. NaN is higher than any number.
std::int64_t indexOfHighest(std::span<const float> values) {
  constexpr std::size_t kLanes = 16;  // independent maxima, so that the compiler can vectorize the loop
  const std::size_t whole = values.size() / kLanes * kLanes;
  std::array<float, kLanes> maxima;
  maxima.fill(values.front());
  std::array<bool, kLanes> areNan{};
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      maxima[lane] = value > maxima[lane] ? value : maxima[lane];
      areNan[lane] = areNan[lane] || value != value;
    }
  }
  float maximum = *std::max_element(maxima.begin(), maxima.end());
  bool isNan = std::any_of(areNan.begin(), areNan.end(), [](bool nan) { return nan; });
  for (const float value : values.subspan(whole)) {
    maximum = std::max(maximum, value);
    isNan = isNan || value != value;
  }
  const auto found = isNan ? std::find_if(values.begin(), values.end(), [](float value) { return value != value; })
                           : std::find(values.begin(), values.end(), maximum);
  return found - values.begin();
}

}  // namespace

FloatRows toFloatRows(const at::Tensor& tensor) {
  const std::int64_t columns = tensor.size(-1);
  return {static_cast<float*>(tensor.data_ptr()), tensor.numel() / columns, columns};
}

void LmHead::compute(const std::vector<LogitsPart>& parts) {
  std::vector<Selected> shared;
  std::int64_t rows = 0;
  for (const LogitsPart& part : parts) {
    if (part.selection.isEmpty) continue;
    Selected selected{&part, select(part)};
    if (part.selection.tokens.defined()) {
      const std::vector<std::int64_t> tokens = toVector(part.selection.tokens);
      part.logits =
          multiplyBy(model_.lmHead->selectColumns(tokens), selected.states, static_cast<std::int64_t>(tokens.size()));
      continue;
    }
    if (rows + selected.rows() > kMaxRows) {
      computeShared(shared);
      shared.clear();
      rows = 0;
    }
    rows += selected.rows();
    shared.push_back(std::move(selected));
  }
  computeShared(shared);
}

/// The states that the part's logits are computed from, [R, P, D].
at::Tensor LmHead::select(const LogitsPart& part) const {
  const at::Tensor& positions = part.selection.positions;
  const bool selects = positions.defined() && !part.areSelected;
  const at::Tensor chosen = selects ? part.states.index_select(1, positions) : part.states;
  if (!model_.architecture.scalesDecoderOutputs) return chosen;
  // Like Hugging Face, scales the input of `lm_head`, not its output.
  return chosen * std::pow(static_cast<double>(model_.architecture.dModel), -0.5);
}

void LmHead::computeShared(const std::vector<Selected>& parts) {
  if (parts.empty()) return;
  const std::int64_t vocabSize = model_.architecture.vocabSize;
  if (parts.size() == 1 && parts.front().part->highest == nullptr) {
    parts.front().part->logits = multiplyBy(*model_.lmHead, parts.front().states, vocabSize);
    return;
  }
  std::vector<at::Tensor> states;
  for (const Selected& selected : parts) states.push_back(selected.states.reshape({1, selected.rows(), -1}));
  const at::Tensor logits =
      multiplyBy(*model_.lmHead, states.size() == 1 ? states.front() : at::cat(states, 1), vocabSize);
  std::vector<std::int64_t> chosen;  // rows of the parts that need the highest logits
  std::int64_t first = 0;
  for (const Selected& selected : parts) {
    if (selected.part->highest == nullptr) {
      const at::Tensor own = logits.narrow(1, first, selected.rows());
      selected.part->logits = own.view({selected.states.size(0), selected.states.size(1), vocabSize});
    } else {
      for (std::int64_t row = 0; row < selected.rows(); ++row) chosen.push_back(first + row);
    }
    first += selected.rows();
  }
  if (chosen.empty()) return;
  const at::Tensor ids = highestOf(logits, chosen);
  first = 0;
  for (const Selected& selected : parts) {
    if (selected.part->highest == nullptr) continue;
    *selected.part->highest = ids.narrow(0, first, selected.rows());
    first += selected.rows();
  }
}

/// The product of states [R, P, D] and a matrix: [R, P, columns].
at::Tensor LmHead::multiplyBy(const PackedMatrix& matrix, const at::Tensor& states, std::int64_t columns) {
  const FloatRows rows = toFloatRows(states);
  at::Tensor result = at::empty({states.size(0), states.size(1), columns}, at::kFloat);
  constexpr std::int64_t kMaxStoredBytes = std::int64_t{4} << 20;  // larger logits bypass the caches
  const auto epilogue = static_cast<std::int64_t>(result.nbytes()) > kMaxStoredBytes ? kernels::Epilogue::kStream
                                                                                     : kernels::Epilogue::kStore;
  const FloatRows products = toFloatRows(result);
  forEachSection(rows.rows, kMaxRows, [&](std::int64_t first, std::int64_t count) {
    const Scratch::Frame frame(scratch_);
    const Operand operand = convert(executor_, scratch_, model_.dataType, rows.slice(first, count));
    multiply(executor_, operand, matrix, products.slice(first, count), epilogue);
  });
  return result;
}

/// The id of the highest logit of each of some rows. `logits`: [1, N, V]; returns int64 [rows.size()].
at::Tensor LmHead::highestOf(const at::Tensor& logits, const std::vector<std::int64_t>& rows) const {
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto vocabSize = static_cast<std::size_t>(logits.size(2));
  at::Tensor ids = at::empty({count}, at::kLong);
  const auto* from = logits.const_data_ptr<float>();
  auto* to = ids.mutable_data_ptr<std::int64_t>();
  executor_.run(count, [&](std::int64_t index, std::int64_t) {
    const auto row = static_cast<std::size_t>(rows[static_cast<std::size_t>(index)]);
    to[index] = indexOfHighest({from + row * vocabSize, vocabSize});
  });
  return ids;
}

}  // namespace torch_t5
