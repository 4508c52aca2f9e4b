// Tests the sizes in which the fused engine divides its work.
#include "fused/block_sizes.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <span>
#include <string>

#include "fused/linear.h"
#include "kernels_harness.h"

namespace torch_t5 {
namespace {

using namespace test;

constexpr std::int64_t kKilo = std::int64_t{1} << 10;
constexpr std::int64_t kMega = std::int64_t{1} << 20;

void readsCaches(std::span<char*>) {
  const CacheSizes caches = cacheSizes();
  const auto isPlausible = [](std::int64_t bytes) {
    return bytes == 0 || (bytes >= 4 * kKilo && bytes <= 4096 * kMega);
  };
  expect(isPlausible(caches.level1) && isPlausible(caches.level2) && isPlausible(caches.level3),
         "caches of 4 KB to 4 GB, or of an unknown size");
  expect(cacheSizes() == caches, "the same sizes each time");
  expect(blockSizes() == chooseBlockSizes(caches), "block sizes of this processor's caches");
}

void followsCaches(std::span<char*>) {
  const auto chunkWords = [](std::int64_t level2) {
    return chooseBlockSizes({/*level1=*/32 * kKilo, level2, /*level3=*/32 * kMega}).chunkWords;
  };
  expect(chunkWords(kMega) == 96 * kKilo, "three eighths of an L2 cache of 1 MB");
  expect(chunkWords(2 * kMega) == 192 * kKilo, "three eighths of an L2 cache of 2 MB");
  expect(chunkWords(512 * kKilo) == 48 * kKilo, "three eighths of an L2 cache of 512 KB");
  expect(chunkWords(32 * kKilo) == chunkWords(256 * kKilo), "a minimum");
  expect(chunkWords(64 * kMega) == chunkWords(2 * kMega), "a maximum");
  expect(chooseBlockSizes({}) == BlockSizes{}, "the defaults for unknown caches");
}

/// Every data type and instruction set, with chunks from one group of rows to all rows.
void keepsBits(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  at::manual_seed(7);
  constexpr std::int64_t kRows = 150;
  constexpr std::int64_t kK = 96;
  constexpr std::int64_t kColumns = 130;
  const at::Tensor rows = at::randn({kRows, kK});
  const at::Tensor weights = at::randn({kColumns, kK});
  for (const Kernels* table : usableKernels()) {
    for (const DataType dataType : kDataTypes) {
      const auto multiplyIn = [&](std::int64_t chunkWords) {
        const Executor executor{*table, /*threads=*/2, BlockSizes{chunkWords, 1}};
        const WeightMatrix weight(weights);
        const PackedMatrix matrix(weightRows({&weight}), dataType, executor);
        Scratch scratch;
        const at::Tensor result = at::empty({kRows, kColumns});
        const FloatRows from{dataOf(rows), kRows, kK};
        multiply(executor, convert(executor, scratch, dataType, from), matrix, {dataOf(result), kRows, kColumns});
        return result;
      };
      const at::Tensor whole = multiplyIn(kMega);
      for (const std::int64_t chunkWords : std::array<std::int64_t, 3>{1, kKilo, 3 * kKilo}) {
        expect(areSameBits(dataOf(multiplyIn(chunkWords)), dataOf(whole), whole.numel()),
               std::string("the same bits in chunks, ") + nameOf(dataType) + ", " + table->name);
      }
    }
  }
}

constexpr std::array<test::Test, 3> kTests{{
    {"read the caches of this processor", readsCaches},
    {"follow the caches", followsCaches},
    {"change no bit of a product", keepsBits},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
