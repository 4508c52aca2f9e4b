// Rows of floats as operands: in a format, and normalized.
// Included through kernels_template.h by one file for each instruction set: all that is here has internal linkage.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/fused/kernels/kernels.h"
#include "engine/fused/kernels/sums.h"

namespace torch_t5::kernels {
namespace {

template <class Simd>
void convertToBfloat16(const float* row, std::int64_t columns, std::uint32_t* words) {
  auto* to = reinterpret_cast<std::uint16_t*>(words);
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes) Simd::storeBfloat16(to + i, Simd::load(row + i));
  for (; i < columns; ++i) to[i] = toBfloat16(row[i]);
  if (columns % 2 != 0) to[columns] = 0;
}

/// Bytes 128 + round(number / scale), from 1 to 255: unsigned, as the instructions want it.
template <class Simd>
float convertToInt8(const float* row, std::int64_t columns, std::uint32_t* words) {
  auto* to = reinterpret_cast<std::uint8_t*>(words);
  auto greatest = Simd::zero();
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    greatest = Simd::max(greatest, Simd::absolute(Simd::load(row + i)));
  float most = Simd::reduceMax(greatest);
  for (; i < columns; ++i) most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
  const float factor = most > 0 ? 127.0F / most : 0.0F;
  const auto factors = Simd::broadcast(factor);
  i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    Simd::storeBytes(to + i, Simd::multiply(Simd::load(row + i), factors));
  for (; i < columns; ++i) to[i] = static_cast<std::uint8_t>(128 + static_cast<int>(nearbyintf(row[i] * factor)));
  for (; i % 4 != 0; ++i) to[i] = 128;
  return most / 127.0F;
}

template <class Simd>
void convertRow(Format format, const float* row, std::int64_t columns, std::uint32_t* words, float* scale) {
  switch (format) {
    case Format::kFloat32:
      if (static_cast<const void*>(row) != words) memcpy(words, row, static_cast<std::size_t>(columns) * sizeof(float));
      return;
    case Format::kBfloat16:
      return convertToBfloat16<Simd>(row, columns, words);
    case Format::kInt8:
      *scale = convertToInt8<Simd>(row, columns, words);
      return;
  }
}

template <class Simd>
void convert(Format format, const Rows& rows) {
  const std::int64_t words = wordsPerRow(format, rows.columns);
  for (std::int64_t row = 0; row < rows.rowCount; ++row)
    convertRow<Simd>(format, rows.rows + row * rows.rowStride, rows.columns, rows.words + row * words,
                     rows.scales == nullptr ? nullptr : rows.scales + row);
}

template <class Simd>
void normalizeRow(const float* row, std::int64_t columns, const float* weight, float epsilon, float* result) {
  // Four sums at once hide how long an addition takes.
  constexpr int kSums = 4;
  typename Simd::Float sums[kSums];
  for (auto& sum : sums) sum = Simd::zero();
  std::int64_t i = 0;
  for (; i + kSums * Simd::kLanes <= columns; i += kSums * Simd::kLanes) {
    for (int s = 0; s < kSums; ++s) {
      const auto x = Simd::load(row + i + s * Simd::kLanes);
      sums[s] = Simd::fma(x, x, sums[s]);
    }
  }
  float sum = Simd::reduceAdd(Simd::add(Simd::add(sums[0], sums[1]), Simd::add(sums[2], sums[3])));
  for (; i < columns; ++i) sum += row[i] * row[i];
  const float inverse = 1.0F / sqrtf(sum / static_cast<float>(columns) + epsilon);
  const auto inverses = Simd::broadcast(inverse);
  i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    Simd::store(result + i, Simd::multiply(Simd::load(weight + i), Simd::multiply(Simd::load(row + i), inverses)));
  for (; i < columns; ++i) result[i] = weight[i] * (row[i] * inverse);
}

template <class Simd>
void normalize(Format format, const Rows& rows, const float* weight, float epsilon, float* scratch) {
  const std::int64_t words = wordsPerRow(format, rows.columns);
  for (std::int64_t row = 0; row < rows.rowCount; ++row) {
    std::uint32_t* to = rows.words + row * words;
    float* normal = format == Format::kFloat32 ? reinterpret_cast<float*>(to) : scratch;
    normalizeRow<Simd>(rows.rows + row * rows.rowStride, rows.columns, weight, epsilon, normal);
    convertRow<Simd>(format, normal, rows.columns, to, rows.scales == nullptr ? nullptr : rows.scales + row);
  }
}

}  // namespace
}  // namespace torch_t5::kernels
