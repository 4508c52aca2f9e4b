// Tests attention, for every instruction set of this processor, against ATen in double precision.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "fused/kernels/kernels.h"
#include "kernels_harness.h"

namespace torch_t5 {
namespace {

using namespace test;

constexpr double kTolerance = 1e-5;
constexpr double kBfloat16Rounding = 0x1.01p-8;
constexpr std::int64_t kNan = 0x7FC07FC0;  // as a float, and as two bfloat16

/// One head's attention, as tensors.
struct Case {
  at::Tensor queries;  // [queries, headSize]
  at::Tensor keys;     // [keys, headSize]
  at::Tensor values;   // [keys, headSize]
  std::int64_t firstQuery = 0;
  bool isCausal = false;
  at::Tensor bias;  // [2 * reach + 1], by distance; undefined: none
  at::Tensor mask;  // [keys]; undefined: none

  std::int64_t reach() const { return (bias.numel() - 1) / 2; }
};

at::Tensor quantized(DataType dataType, const at::Tensor& tensor) {
  return (dataType == DataType::kBfloat16 ? tensor.to(at::kBFloat16) : tensor).to(at::kDouble);
}

Expected attendExactly(DataType dataType, const Case& testCase) {
  at::Tensor scores = at::matmul(quantized(dataType, testCase.queries), quantized(dataType, testCase.keys).t());
  const at::Tensor distances =
      at::arange(testCase.keys.size(0), at::kLong).unsqueeze(0) -
      at::arange(testCase.firstQuery, testCase.firstQuery + testCase.queries.size(0), at::kLong).unsqueeze(1);
  if (testCase.bias.defined()) scores += testCase.bias.to(at::kDouble).take(distances + testCase.reach());
  // In float32, a score plus the lowest float is the lowest float.
  if (testCase.mask.defined()) scores = at::where(testCase.mask.lt(0), testCase.mask.to(at::kDouble), scores);
  if (testCase.isCausal) scores.masked_fill_(distances > 0, -std::numeric_limits<double>::infinity());
  const at::Tensor probabilities = at::softmax(scores, -1);
  const at::Tensor values = quantized(dataType, testCase.values);
  const double rounding = dataType == DataType::kBfloat16 ? kBfloat16Rounding : 0;
  return {at::matmul(probabilities, values), at::matmul(probabilities, values.abs()) * rounding + kTolerance};
}

/// Rows [n, columns] as int32 [n, words].
at::Tensor toWords(DataType dataType, const at::Tensor& rows) {
  const std::int64_t columns = kernels::wordsPerRow(dataType, rows.size(1)) * kernels::elementsPerWord(dataType);
  const at::Tensor filled =
      at::zeros({rows.size(0), columns}, dataType == DataType::kBfloat16 ? at::kBFloat16 : at::kFloat);
  filled.slice(1, 0, rows.size(1)).copy_(rows);
  return filled.view(at::kInt);
}

/// Keys and values as the kernels read them, one tensor of words for each block. Memory without a position holds NaN.
std::vector<at::Tensor> makeBlocks(const Kernels& table, DataType dataType, const Case& testCase,
                                   std::int64_t paddedHeadSize) {
  const std::int64_t width = table.panelWidth;
  const std::int64_t headWords = kernels::wordsPerRow(dataType, testCase.keys.size(1));
  std::vector<at::Tensor> blocks;
  for (std::int64_t first = 0; first < testCase.keys.size(0); first += width) {
    const std::int64_t end = std::min(first + width, testCase.keys.size(0));
    const at::Tensor keys = at::full({headWords, width}, kNan, at::kInt);
    keys.slice(1, 0, end - first).copy_(toWords(dataType, testCase.keys.slice(0, first, end)).t());
    const at::Tensor values = at::full({kernels::wordsPerRow(dataType, width), paddedHeadSize}, kNan, at::kInt);
    const at::Tensor words = toWords(dataType, testCase.values.slice(0, first, end).t()).t();
    values.slice(0, 0, words.size(0)).slice(1, 0, words.size(1)).copy_(words);
    blocks.push_back(at::cat({keys.flatten(), values.flatten()}));
  }
  return blocks;
}

/// A case, packed for one instruction set and data type.
class PackedCase {
 public:
  PackedCase(const Kernels& table, DataType dataType, const Case& testCase)
      : table_(table),
        case_(testCase),
        headSize_(testCase.keys.size(1)),
        blocks_(makeBlocks(table, dataType, testCase, paddedHeadSize())),
        queries_(at::constant_pad_nd(toWords(dataType, testCase.queries), {0, kGap})) {
    for (const at::Tensor& block : blocks_) pointers_.push_back(static_cast<const float*>(block.const_data_ptr()));
    attention_.dataType = dataType;
    attention_.queryStride = queries_.size(1);
    attention_.blocks = pointers_.data();
    attention_.keyCount = testCase.keys.size(0);
    attention_.headSize = headSize_;
    attention_.paddedHeadSize = paddedHeadSize();
    attention_.bias = testCase.bias.defined() ? dataOf(testCase.bias) + testCase.reach() : nullptr;
    attention_.isCausal = testCase.isCausal;
    attention_.mask = testCase.mask.defined() ? dataOf(testCase.mask) : nullptr;
  }
  PackedCase(const PackedCase&) = delete;
  PackedCase& operator=(const PackedCase&) = delete;

  /// The results of queries `first` to `first + count - 1`: [count, headSize].
  at::Tensor run(std::int64_t first, std::int64_t count) {
    constexpr float kUntouched = 12345;
    const at::Tensor result = at::full({count, headSize_ + kGap}, kUntouched);
    const at::Tensor scores = at::full({kernels::attentionScoresSize(table_, case_.keys.size(0))}, kNan, at::kInt);
    attention_.queries = static_cast<const std::uint32_t*>(queries_.const_data_ptr()) + first * queries_.size(1);
    attention_.queryCount = count;
    attention_.firstQuery = case_.firstQuery + first;
    attention_.scores = static_cast<float*>(scores.data_ptr());
    attention_.result = dataOf(result);
    attention_.resultStride = result.size(1);
    table_.attend(attention_);
    expect(result.slice(1, headSize_).eq(kUntouched).all().item<bool>(), "nothing written next to a result");
    return result.slice(1, 0, headSize_).contiguous();
  }

  /// The same for all queries as bfloat16, in plain rows or in tiles that the head must fill, from row `firstRow` on.
  at::Tensor runBf16(bool inTiles, std::int64_t firstRow) {
    const std::int64_t count = case_.queries.size(0);
    const std::int64_t rows = roundUp(firstRow + count, kernels::kTileRows);
    const at::Tensor result = at::zeros({rows, headSize_}, at::kBFloat16);
    const at::Tensor scores = at::empty({kernels::attentionScoresSize(table_, case_.keys.size(0))});
    auto* memory = static_cast<std::uint16_t*>(result.data_ptr());
    kernels::AttentionArgs bf16 = attention_;
    bf16.queries = static_cast<const std::uint32_t*>(queries_.const_data_ptr());
    bf16.queryCount = count;
    bf16.firstQuery = case_.firstQuery;
    bf16.scores = dataOf(scores);
    bf16.result = nullptr;
    bf16.bf16Result = inTiles ? memory : memory + firstRow * headSize_;
    bf16.isBf16ResultTiled = inTiles;
    bf16.firstRow = firstRow;
    bf16.resultStride = headSize_;
    table_.attend(bf16);
    const at::Tensor plain = inTiles ? untiled(result) : result;
    expect(plain.slice(0, 0, firstRow).eq(0).all().item<bool>(), "nothing written before a bfloat16 result");
    expect(plain.slice(0, firstRow + count).eq(0).all().item<bool>(), "nothing written after a bfloat16 result");
    return plain.slice(0, firstRow, firstRow + count);
  }

 private:
  static constexpr std::int64_t kGap = 3;

  std::int64_t paddedHeadSize() const {
    return (headSize_ + table_.panelWidth - 1) / table_.panelWidth * table_.panelWidth;
  }

  const Kernels& table_;
  const Case& case_;
  std::int64_t headSize_;
  std::vector<at::Tensor> blocks_;
  std::vector<const float*> pointers_;
  at::Tensor queries_;
  kernels::AttentionArgs attention_;
};

/// Checks, in both data types, that all queries together are within the tolerance, and that each alone has the same
/// bits.
void expectAttention(const Kernels& table, const Case& testCase, const std::string& what) {
  const std::int64_t count = testCase.queries.size(0);
  for (const DataType dataType : {DataType::kFloat32, DataType::kBfloat16}) {
    const std::string where = what + (dataType == DataType::kBfloat16 ? " in bfloat16" : " in float32");
    PackedCase packed(table, dataType, testCase);
    const at::Tensor together = packed.run(0, count);
    expectWithin(together, attendExactly(dataType, testCase), "attention " + where);
    for (std::int64_t query = 0; query < count; ++query)
      expect(at::equal(packed.run(query, 1)[0], together[query]), "the same bits for a query alone " + where);
    const at::Tensor bf16 = together.to(at::kBFloat16);
    expect(at::equal(packed.runBf16(/*inTiles=*/false, 0), bf16), "the nearest bfloat16 " + where);
    if (table.hasTiles && dataType == DataType::kBfloat16 && testCase.keys.size(1) % 32 == 0)
      expect(at::equal(packed.runBf16(/*inTiles=*/true, 7), bf16), "the nearest bfloat16 in tiles " + where);
  }
}

Case randomCase(std::int64_t queries, std::int64_t keys, std::int64_t headSize) {
  const double scale = 1.5 / std::sqrt(std::sqrt(static_cast<double>(headSize)));  // scores of a few units
  return {at::randn({queries, headSize}) * scale,
          at::randn({keys, headSize}) * scale,
          at::randn({keys, headSize}),
          0,
          false,
          {},
          {}};
}

/// Calls `check(table, case, where)` for many shapes.
template <class Check>
void forEachShape(Check&& check) {
  for (const Kernels* table : usableKernels()) {
    for (const std::int64_t headSize : {1, 7, 16, 17, 31, 32, 33, 64, 96, 130}) {
      for (const std::int64_t keys : {1, 2, 15, 16, 17, 32, 33, 65, 100, 200}) {
        const std::int64_t queries = 1 + (headSize + 5 * keys) % 70;
        const std::string where = std::to_string(queries) + " queries, " + std::to_string(keys) + " keys of " +
                                  std::to_string(headSize) + " by " + table->name;
        check(*table, randomCase(queries, keys, headSize), where);
      }
    }
  }
}

void attends(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, const Case& plain, const std::string& where) {
    expectAttention(table, plain, "of " + where);
  });
}

void attendsWithBias(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, Case biased, const std::string& where) {
    biased.firstQuery = 3;
    const std::int64_t reach = std::max(biased.firstQuery + biased.queries.size(0), biased.keys.size(0));
    biased.bias = at::randn({2 * reach + 1});
    expectAttention(table, biased, "with a bias of " + where);
  });
}

void attendsCausally(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, Case causal, const std::string& where) {
    causal.isCausal = true;
    const std::int64_t reach = std::max(causal.queries.size(0), causal.keys.size(0));
    causal.bias = at::randn({2 * reach + 1});
    // The last positions' queries; then all positions, with more queries than keys in some cases, unlike any decoder.
    causal.firstQuery = std::max<std::int64_t>(0, causal.keys.size(0) - causal.queries.size(0));
    expectAttention(table, causal, "causal, for the last of " + where);
    causal.firstQuery = 0;
    expectAttention(table, causal, "causal, for " + where);
  });
}

void attendsWithMask(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const auto lowest = std::numeric_limits<float>::lowest();
  forEachShape([&](const Kernels& table, Case masked, const std::string& where) {
    const std::int64_t keys = masked.keys.size(0);
    masked.mask = at::zeros({keys});
    masked.mask.slice(0, 0, keys, 3).fill_(lowest);
    masked.mask[keys - 1] = 0;
    expectAttention(table, masked, "with a mask of " + where);
    masked.bias = at::randn({2 * std::max(masked.queries.size(0), keys) + 1});
    expectAttention(table, masked, "with a mask and a bias of " + where);
    masked.mask.fill_(lowest);
    expectAttention(table, masked, "with everything masked, of " + where);
    const at::Tensor mean = masked.values.mean(0).expand_as(masked.queries);
    expect(
        at::allclose(PackedCase(table, DataType::kFloat32, masked).run(0, masked.queries.size(0)), mean, 0, kTolerance),
        "the mean of all values with everything masked, of " + where);
  });
}

constexpr std::array<test::Test, 4> kTests{{
    {"attend, with the same bits for a query in any batch", attends},
    {"attend with a bias by distance", attendsWithBias},
    {"attend only to keys up to a query's position when causal", attendsCausally},
    {"attend to the keys that a mask keeps, and to all keys equally if it keeps none", attendsWithMask},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
