// Kernels on rows of floats: conversion to a left operand, layer norm, transposition.
// Internal linkage: see kernels_template.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "fused/kernels/accumulators.h"
#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

/// An odd last element gets 0 as the other half of its word.
template <class Simd>
void convertToBf16(const float* row, std::int64_t columns, std::uint32_t* words) {
  auto* to = reinterpret_cast<std::uint16_t*>(words);
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes) Simd::storeBf16(to + i, Simd::load(row + i));
  for (; i < columns; ++i) to[i] = toBf16(row[i]);
  if (columns % 2 != 0) to[columns] = 0;
}

template <class Simd>
float maxMagnitude(const float* row, std::int64_t columns) {
  auto maxima = Simd::zero();
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    maxima = Simd::max(maxima, Simd::absolute(Simd::load(row + i)));
  float maximum = Simd::reduceMax(maxima);
  for (; i < columns; ++i) maximum = fabsf(row[i]) > maximum ? fabsf(row[i]) : maximum;
  return maximum;
}

/// Writes the bytes kInt8ZeroPoint + round(element * factor), from 1 to 255: the instructions need one unsigned
/// operand. The last word is filled with zeros, which are kInt8ZeroPoint.
template <class Simd>
void convertToInt8(const float* row, std::int64_t columns, float factor, std::uint32_t* words) {
  auto* to = reinterpret_cast<std::uint8_t*>(words);
  const auto factors = Simd::broadcast(factor);
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    Simd::storeBytes(to + i, Simd::multiply(Simd::load(row + i), factors));
  for (; i < columns; ++i)
    to[i] = static_cast<std::uint8_t>(kInt8ZeroPoint + static_cast<int>(nearbyintf(row[i] * factor)));
  for (; i % 4 != 0; ++i) to[i] = kInt8ZeroPoint;
}

/// Calls `convert(elements, count, words)` for each part of a row whose words are contiguous.
template <class Convert>
void forEachSegment(DataType dataType, bool isTiled, const float* row, std::int64_t columns, std::uint32_t* words,
                    Convert&& convert) {
  if (!isTiled) return convert(row, columns, words);
  const std::int64_t count = kTileWords * elementsPerWord(dataType);
  for (std::int64_t i = 0; i < columns; i += count, words += kTileRows * kTileWords) {
    const std::int64_t left = columns - i;
    convert(row + i, left < count ? left : count, words);
  }
}

template <class Simd>
void convertRow(DataType dataType, bool isTiled, const float* row, std::int64_t columns, std::uint32_t* words,
                float* scale) {
  switch (dataType) {
    case DataType::kFloat32:
      if (static_cast<const void*>(row) != words) memcpy(words, row, static_cast<std::size_t>(columns) * sizeof(float));
      return;
    case DataType::kBfloat16:
      return forEachSegment(dataType, isTiled, row, columns, words, convertToBf16<Simd>);
    case DataType::kInt8: {
      const float maximum = maxMagnitude<Simd>(row, columns);
      const float factor = maximum > 0 ? kMaxInt8 / maximum : 0.0F;
      *scale = maximum / kMaxInt8;
      return forEachSegment(dataType, isTiled, row, columns, words,
                            [factor](const float* elements, std::int64_t count, std::uint32_t* to) {
                              convertToInt8<Simd>(elements, count, factor, to);
                            });
    }
  }
}

template <class Simd>
void convert(DataType dataType, const RowArgs& args) {
  const std::int64_t words = wordsPerRow(dataType, args.columns);
  for (std::int64_t row = 0; row < args.rowCount; ++row)
    convertRow<Simd>(dataType, args.isTiled, args.rows + row * args.rowStride, args.columns,
                     args.words + rowOffset(args.isTiled, row, words),
                     args.scales == nullptr ? nullptr : args.scales + row);
}

template <class Simd>
void transpose(const std::uint32_t* rows, std::int64_t stride, std::int64_t rowCount, std::int64_t words,
               std::uint32_t* to, std::int64_t toStride) {
  constexpr std::int64_t kBlock = Simd::kLanes;
  const std::int64_t wholeRows = Simd::kHasTranspose ? rowCount / kBlock * kBlock : 0;
  const std::int64_t wholeWords = Simd::kHasTranspose ? words / kBlock * kBlock : 0;
  if constexpr (Simd::kHasTranspose) {
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
  // Four sums hide the latency of an addition.
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
void normalize(DataType dataType, const RowArgs& args, const float* weight, float epsilon, float* scratch) {
  const std::int64_t words = wordsPerRow(dataType, args.columns);
  for (std::int64_t row = 0; row < args.rowCount; ++row) {
    std::uint32_t* to = args.words + rowOffset(args.isTiled, row, words);
    float* normalized = dataType == DataType::kFloat32 ? reinterpret_cast<float*>(to) : scratch;
    normalizeRow<Simd>(args.rows + row * args.rowStride, args.columns, weight, epsilon, normalized);
    convertRow<Simd>(dataType, args.isTiled, normalized, args.columns, to,
                     args.scales == nullptr ? nullptr : args.scales + row);
  }
}

}  // namespace
}  // namespace torch_t5::kernels
