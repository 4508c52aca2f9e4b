// Dot products whose operands stay in the L1 cache: the limit of GEMM's speed on a processor.
// Internal linkage: see kernels_template.h.
#pragma once

#include <cstdint>

#include "fused/kernels/accumulators.h"
#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

/// The compiler must assume that the memory is read and changed here, so it neither computes a loop around this in
/// advance nor removes it.
void useMemory(void* memory) {
#ifdef __GNUC__
  asm volatile("" : : "r"(memory) : "memory");
#else
  *static_cast<volatile std::uint32_t*>(memory) = 0;
#endif
}

template <class Simd, class Dot>
void repeatDotProductsWith(std::int64_t iterations) {
  // Each row has its own words and initial values, so that no two accumulators are the same computation.
  std::uint32_t words[Simd::kMaxRows] = {};
  alignas(64) std::uint32_t panel[kPanelWidth<Simd>] = {};
  alignas(64) float results[Simd::kMaxRows][kPanelWidth<Simd>] = {};
  useMemory(results);
  typename Simd::Float accumulators[Simd::kMaxRows][kVectorsPerPanel];
  TORCH_T5_UNROLL
  for (int row = 0; row < Simd::kMaxRows; ++row) {
    for (int v = 0; v < kVectorsPerPanel; ++v) accumulators[row][v] = Simd::load(results[row] + v * Simd::kLanes);
  }
  for (std::int64_t i = 0; i < iterations; ++i) {
    useMemory(words);
    useMemory(panel);
    typename Simd::Float columns[kVectorsPerPanel];
    for (int v = 0; v < kVectorsPerPanel; ++v) columns[v] = Simd::loadWords(panel + v * Simd::kLanes);
    TORCH_T5_UNROLL
    for (int row = 0; row < Simd::kMaxRows; ++row) {
      const auto word = Simd::broadcastWord(words[row]);
      for (int v = 0; v < kVectorsPerPanel; ++v)
        accumulators[row][v] = Dot::dot(accumulators[row][v], word, columns[v]);
    }
  }
  TORCH_T5_UNROLL
  for (int row = 0; row < Simd::kMaxRows; ++row) {
    for (int v = 0; v < kVectorsPerPanel; ++v) Simd::store(results[row] + v * Simd::kLanes, accumulators[row][v]);
  }
  useMemory(results);
}

template <class Simd>
void repeatDotProducts(DataType dataType, std::int64_t iterations) {
  switch (dataType) {
    case DataType::kFloat32:
      return repeatDotProductsWith<Simd, typename Simd::Float32Dot>(iterations);
    case DataType::kBfloat16:
      return repeatDotProductsWith<Simd, typename Simd::Bf16Dot>(iterations);
    case DataType::kInt8:
      return repeatDotProductsWith<Simd, typename Simd::Int8Dot>(iterations);
  }
}

}  // namespace
}  // namespace torch_t5::kernels
