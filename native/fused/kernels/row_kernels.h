// Rows of floats as operands: in a format, and normalized.
// Included through kernels_template.h by one file for each instruction set: all that is here has internal linkage.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "fused/kernels/kernels.h"
#include "fused/kernels/accumulators.h"

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

template <class Simd>
float greatestMagnitude(const float* row, std::int64_t columns) {
  auto greatest = Simd::zero();
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    greatest = Simd::max(greatest, Simd::absolute(Simd::load(row + i)));
  float most = Simd::reduceMax(greatest);
  for (; i < columns; ++i) most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
  return most;
}

/// Bytes 128 + round(number * factor), from 1 to 255: unsigned, as the instructions want it.
template <class Simd>
void convertToInt8(const float* row, std::int64_t columns, float factor, std::uint32_t* words) {
  auto* to = reinterpret_cast<std::uint8_t*>(words);
  const auto factors = Simd::broadcast(factor);
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    Simd::storeBytes(to + i, Simd::multiply(Simd::load(row + i), factors));
  for (; i < columns; ++i) to[i] = static_cast<std::uint8_t>(128 + static_cast<int>(nearbyintf(row[i] * factor)));
  for (; i % 4 != 0; ++i) to[i] = 128;
}

/// Calls `convert(numbers, count, words)` for the parts of a row whose words lie together.
template <class Convert>
void inSegments(Format format, bool areTiled, const float* row, std::int64_t columns, std::uint32_t* words,
                Convert&& convert) {
  if (!areTiled) return convert(row, columns, words);
  const std::int64_t count = kTileWords * numbersPerWord(format);
  for (std::int64_t i = 0; i < columns; i += count, words += kTileRows * kTileWords) {
    const std::int64_t left = columns - i;
    convert(row + i, left < count ? left : count, words);
  }
}

template <class Simd>
void convertRow(Format format, bool areTiled, const float* row, std::int64_t columns, std::uint32_t* words,
                float* scale) {
  switch (format) {
    case Format::kFloat32:
      if (static_cast<const void*>(row) != words) memcpy(words, row, static_cast<std::size_t>(columns) * sizeof(float));
      return;
    case Format::kBfloat16:
      return inSegments(format, areTiled, row, columns, words, convertToBfloat16<Simd>);
    case Format::kInt8: {
      const float most = greatestMagnitude<Simd>(row, columns);
      const float factor = most > 0 ? 127.0F / most : 0.0F;
      *scale = most / 127.0F;
      return inSegments(format, areTiled, row, columns, words,
                        [factor](const float* numbers, std::int64_t count, std::uint32_t* to) {
                          convertToInt8<Simd>(numbers, count, factor, to);
                        });
    }
  }
}

template <class Simd>
void convert(Format format, const Rows& rows) {
  const std::int64_t words = wordsPerRow(format, rows.columns);
  for (std::int64_t row = 0; row < rows.rowCount; ++row)
    convertRow<Simd>(format, rows.areTiled, rows.rows + row * rows.rowStride, rows.columns,
                     rows.words + rowOffset(rows.areTiled, row, words),
                     rows.scales == nullptr ? nullptr : rows.scales + row);
}

template <class Simd>
void transpose(const std::uint32_t* rows, std::int64_t stride, std::int64_t rowCount, std::int64_t words,
               std::uint32_t* to, std::int64_t toStride) {
  constexpr std::int64_t kBlock = Simd::kLanes;
  const std::int64_t wholeRows = Simd::kTransposes ? rowCount / kBlock * kBlock : 0;
  const std::int64_t wholeWords = Simd::kTransposes ? words / kBlock * kBlock : 0;
  if constexpr (Simd::kTransposes) {
    for (std::int64_t row = 0; row < wholeRows; row += kBlock) {
      for (std::int64_t word = 0; word < wholeWords; word += kBlock)
        Simd::transpose(rows + row * stride + word, stride, to + word * toStride + row, toStride);
    }
  }
  for (std::int64_t row = 0; row < rowCount; ++row) {
    for (std::int64_t word = row < wholeRows ? wholeWords : 0; word < words; ++word)
      to[word * toStride + row] = rows[row * stride + word];
  }
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
    std::uint32_t* to = rows.words + rowOffset(rows.areTiled, row, words);
    float* normal = format == Format::kFloat32 ? reinterpret_cast<float*>(to) : scratch;
    normalizeRow<Simd>(rows.rows + row * rows.rowStride, rows.columns, weight, epsilon, normal);
    convertRow<Simd>(format, rows.areTiled, normal, rows.columns, to,
                     rows.scales == nullptr ? nullptr : rows.scales + row);
  }
}

}  // namespace
}  // namespace torch_t5::kernels
