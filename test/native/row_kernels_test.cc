// Tests the kernels on rows, for every instruction set of this processor, against ATen.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <limits>
#include <string>

#include "fused/kernels/kernels.h"
#include "kernels_harness.h"

namespace torch_t5 {
namespace {

using namespace test;

/// Ties of bfloat16 and int8, infinities, and numbers that round to infinity.
at::Tensor specialNumbers() {
  return at::tensor({0.0F, -0.0F, 1.0F, 1.00390625F, 1.01171875F, -1.00390625F, 3.3e38F, 3.4e38F, -3.4e38F, 1e-37F,
                     std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()});
}

void convertsToBfloat16(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Kernels* table : usableKernels()) {
    for (std::int64_t columns = 1; columns <= 200; ++columns) {
      at::Tensor rows = at::randn({5, columns});
      const at::Tensor special = specialNumbers();
      rows[1].copy_(special.repeat({columns / special.size(0) + 1}).slice(0, 0, columns));
      rows[3].fill_(std::numeric_limits<float>::quiet_NaN());
      const Operand operand(*table, DataType::kBfloat16, rows, /*inTiles=*/false);
      const at::Tensor received = at::from_blob(const_cast<std::uint32_t*>(operand.words.data()),
                                                {5, 2 * operand.wordsPerRow()}, at::kBFloat16);
      const at::Tensor expected = rows.to(at::kBFloat16);
      const at::Tensor numbers = received.slice(1, 0, columns);
      const std::string where = "of " + std::to_string(columns) + " columns by " + table->name;
      expect(numbers.eq(expected).logical_or(numbers.isnan() & expected.isnan()).all().item<bool>(),
             "the nearest bfloat16 " + where);
      expect(received.slice(1, columns).eq(0).all().item<bool>(), "zeros after a row " + where);
    }
  }
}

void convertsToInt8(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Kernels* table : usableKernels()) {
    for (std::int64_t columns = 1; columns <= 200; ++columns) {
      at::Tensor rows = at::randn({5, columns});
      rows[1].zero_();
      rows[2].copy_(at::arange(columns) + 0.5);  // many ties, because the scale is 1
      rows[2][0] = 127;
      rows[3] *= 1e30;
      const Operand operand(*table, DataType::kInt8, rows, /*inTiles=*/false);
      const at::Tensor bytes =
          at::from_blob(const_cast<std::uint32_t*>(operand.words.data()), {5, 4 * operand.wordsPerRow()}, at::kByte);
      const Quantized quantized = quantize(DataType::kInt8, rows);
      const std::string where = "of " + std::to_string(columns) + " columns by " + table->name;
      expect(at::equal(bytes.slice(1, 0, columns).to(at::kDouble) - 128, quantized.values),
             "the nearest integers " + where);
      expect(bytes.slice(1, columns).eq(128).all().item<bool>(), "zeros after a row " + where);
      expect(areSameBits(operand.scales.data(), dataOf(quantized.scales), 5), "each row's scale " + where);
    }
  }
}

void convertsToTiles(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  constexpr std::int64_t kRows = 37;
  for (const Kernels* table : usableKernels()) {
    for (const DataType dataType : kDataTypes) {
      for (const std::int64_t words : {kernels::kTileWords, 5 * kernels::kTileWords}) {
        const at::Tensor rows = at::randn({kRows, words * kernels::elementsPerWord(dataType)});
        const Operand plain(*table, dataType, rows, /*inTiles=*/false);
        const Operand tiled(*table, dataType, rows, /*inTiles=*/true);
        expect(tiled.isTiled == (table->hasTiles && dataType != DataType::kFloat32),
               "rows in tiles if the kernels have any");
        if (!tiled.isTiled) continue;
        expect(plain.scales == tiled.scales, "the same scales in tiles");
        for (std::int64_t row = 0; row < kRows; ++row) {
          for (std::int64_t word = 0; word < words; ++word) {
            const std::int64_t at = kernels::rowOffset(true, row, words) +
                                    word / kernels::kTileWords * kernels::kTileRows * kernels::kTileWords +
                                    word % kernels::kTileWords;
            expect(
                tiled.words[static_cast<std::size_t>(at)] == plain.words[static_cast<std::size_t>(row * words + word)],
                std::string("the same words in tiles of ") + nameOf(dataType));
          }
        }
      }
    }
  }
}

void transposes(std::span<char*>) {
  constexpr std::int64_t kGap = 3;
  constexpr std::uint32_t kUntouched = 12345;
  for (const Kernels* table : usableKernels()) {
    for (const std::int64_t count : {1, 15, 16, 17, 32, 50}) {
      for (const std::int64_t words : {1, 8, 16, 31, 32, 65}) {
        std::vector<std::uint32_t> rows(static_cast<std::size_t>(count * (words + kGap)));
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::uint32_t>(i * 2654435761U);
        std::vector<std::uint32_t> columns(static_cast<std::size_t>(words * (count + kGap)), kUntouched);
        table->transpose(rows.data(), words + kGap, count, words, columns.data(), count + kGap);
        for (std::int64_t word = 0; word < words; ++word) {
          for (std::int64_t row = 0; row < count + kGap; ++row) {
            const std::uint32_t received = columns[static_cast<std::size_t>(word * (count + kGap) + row)];
            const std::uint32_t expected =
                row < count ? rows[static_cast<std::size_t>(row * (words + kGap) + word)] : kUntouched;
            expect(received == expected, std::string("rows as columns by ") + table->name);
          }
        }
      }
    }
  }
}

/// The result of `normalize`, as floats.
at::Tensor normalizedValues(const Kernels& table, DataType dataType, const at::Tensor& rows, const at::Tensor& weight,
                            float epsilon) {
  const std::int64_t count = rows.size(0);
  const std::int64_t columns = rows.size(1);
  const std::int64_t words = kernels::wordsPerRow(dataType, columns);
  const at::Tensor memory = at::empty({count, words}, at::kInt);
  const at::Tensor scales = at::empty({count, 1});
  const at::Tensor scratch = at::empty({columns});
  table.normalize(dataType,
                  {dataOf(rows), rows.stride(0), count, columns, static_cast<std::uint32_t*>(memory.data_ptr()),
                   dataOf(scales), false},
                  dataOf(weight), epsilon, dataOf(scratch));
  const auto as = [&](at::ScalarType type) { return memory.view(type).slice(1, 0, columns).to(at::kFloat); };
  if (dataType == DataType::kFloat32) return as(at::kFloat);
  if (dataType == DataType::kBfloat16) return as(at::kBFloat16);
  return (as(at::kByte) - 128) * scales;
}

void normalizes(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  constexpr double kEpsilon = 1e-6;
  for (const Kernels* table : usableKernels()) {
    for (std::int64_t columns = 1; columns <= 200; ++columns) {
      const at::Tensor rows = (at::randn({7, columns + 2}) * 3).slice(1, 0, columns);
      rows[3].zero_();
      const at::Tensor weight = at::randn({columns});
      const at::Tensor expected = at::rms_norm(rows.to(at::kDouble), {columns}, weight.to(at::kDouble), kEpsilon);
      for (const DataType dataType : kDataTypes) {
        const at::Tensor received = normalizedValues(*table, dataType, rows, weight, kEpsilon);
        const std::string where =
            std::string("in ") + nameOf(dataType) + ", " + std::to_string(columns) + " columns by " + table->name;
        at::Tensor tolerance = expected.abs() * 2e-6;
        if (dataType == DataType::kBfloat16) tolerance += expected.abs() * 0x1p-8;
        if (dataType == DataType::kInt8) tolerance += expected.abs().amax(1, /*keepdim=*/true) * (0.501 / 127);
        expectWithin(received, {expected, tolerance}, "the norm " + where);
        for (std::int64_t row = 0; row < rows.size(0); ++row) {
          const at::Tensor alone = normalizedValues(*table, dataType, rows.slice(0, row, row + 1), weight, kEpsilon);
          expect(at::equal(alone[0], received[row]), "the same bits of a row alone " + where);
        }
      }
    }
  }
}

constexpr std::array<test::Test, 5> kTests{{
    {"convert to the nearest bfloat16", convertsToBfloat16},
    {"convert to the nearest integers", convertsToInt8},
    {"convert to the same words in tiles", convertsToTiles},
    {"transpose", transposes},
    {"normalize like RMSNorm", normalizes},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
