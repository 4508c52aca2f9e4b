// Attention by the kernels of every instruction set that this processor has, against plain ATen in double precision.
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
constexpr std::int64_t kNotANumber = 0x7FC07FC0;  // as a float, and as two bfloat16

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

at::Tensor held(Format format, const at::Tensor& tensor) {
  return (format == Format::kBfloat16 ? tensor.to(at::kBFloat16) : tensor).to(at::kDouble);
}

Expected attendExactly(Format format, const Case& of) {
  at::Tensor scores = at::matmul(held(format, of.queries), held(format, of.keys).t());
  const at::Tensor distances = at::arange(of.keys.size(0), at::kLong).unsqueeze(0) -
                               at::arange(of.firstQuery, of.firstQuery + of.queries.size(0), at::kLong).unsqueeze(1);
  if (of.bias.defined()) scores += of.bias.to(at::kDouble).take(distances + of.reach());
  // In float32 nothing is left of a score behind the lowest number.
  if (of.mask.defined()) scores = at::where(of.mask.lt(0), of.mask.to(at::kDouble), scores);
  if (of.isCausal) scores.masked_fill_(distances > 0, -std::numeric_limits<double>::infinity());
  const at::Tensor probabilities = at::softmax(scores, -1);
  const at::Tensor values = held(format, of.values);
  const double rounding = format == Format::kBfloat16 ? kBfloat16Rounding : 0;
  return {at::matmul(probabilities, values), at::matmul(probabilities, values.abs()) * rounding + kTolerance};
}

/// Rows [n, columns] as int32 [n, words].
at::Tensor toWords(Format format, const at::Tensor& rows) {
  const std::int64_t columns = kernels::wordsPerRow(format, rows.size(1)) * kernels::numbersPerWord(format);
  const at::Tensor filled =
      at::zeros({rows.size(0), columns}, format == Format::kBfloat16 ? at::kBFloat16 : at::kFloat);
  filled.slice(1, 0, rows.size(1)).copy_(rows);
  return filled.view(at::kInt);
}

/// Keys and values as the kernels read them, in a block [words of a head + words of its positions, ...] each. What no
/// position fills is not a number.
std::vector<at::Tensor> makeBlocks(const Kernels& table, Format format, const Case& of, std::int64_t paddedHeadSize) {
  const std::int64_t width = table.panelWidth;
  const std::int64_t headWords = kernels::wordsPerRow(format, of.keys.size(1));
  std::vector<at::Tensor> blocks;
  for (std::int64_t first = 0; first < of.keys.size(0); first += width) {
    const std::int64_t end = std::min(first + width, of.keys.size(0));
    const at::Tensor keys = at::full({headWords, width}, kNotANumber, at::kInt);
    keys.slice(1, 0, end - first).copy_(toWords(format, of.keys.slice(0, first, end)).t());
    const at::Tensor values = at::full({kernels::wordsPerRow(format, width), paddedHeadSize}, kNotANumber, at::kInt);
    const at::Tensor words = toWords(format, of.values.slice(0, first, end).t()).t();
    values.slice(0, 0, words.size(0)).slice(1, 0, words.size(1)).copy_(words);
    blocks.push_back(at::cat({keys.flatten(), values.flatten()}));
  }
  return blocks;
}

/// A case for one table and format, laid out as they want it.
class Attending {
 public:
  Attending(const Kernels& table, Format format, const Case& of)
      : table_(table),
        of_(of),
        headSize_(of.keys.size(1)),
        blocks_(makeBlocks(table, format, of, paddedHeadSize())),
        queries_(at::constant_pad_nd(toWords(format, of.queries), {0, kGap})) {
    for (const at::Tensor& block : blocks_) pointers_.push_back(static_cast<const float*>(block.const_data_ptr()));
    attention_.format = format;
    attention_.queryStride = queries_.size(1);
    attention_.blocks = pointers_.data();
    attention_.keyCount = of.keys.size(0);
    attention_.headSize = headSize_;
    attention_.paddedHeadSize = paddedHeadSize();
    attention_.bias = of.bias.defined() ? dataOf(of.bias) + of.reach() : nullptr;
    attention_.isCausal = of.isCausal;
    attention_.mask = of.mask.defined() ? dataOf(of.mask) : nullptr;
  }
  Attending(const Attending&) = delete;
  Attending& operator=(const Attending&) = delete;

  /// The results of queries `first` up to `first + count`, [count, headSize].
  at::Tensor run(std::int64_t first, std::int64_t count) {
    constexpr float kUntouched = 12345;
    const at::Tensor result = at::full({count, headSize_ + kGap}, kUntouched);
    const at::Tensor scores = at::full({kernels::attentionScratch(table_, of_.keys.size(0))}, kNotANumber, at::kInt);
    attention_.queries = static_cast<const std::uint32_t*>(queries_.const_data_ptr()) + first * queries_.size(1);
    attention_.queryCount = count;
    attention_.firstQuery = of_.firstQuery + first;
    attention_.scores = static_cast<float*>(scores.data_ptr());
    attention_.result = dataOf(result);
    attention_.resultStride = result.size(1);
    table_.attend(attention_);
    expect(result.slice(1, headSize_).eq(kUntouched).all().item<bool>(), "nothing written beside a result");
    return result.slice(1, 0, headSize_).contiguous();
  }

  /// The same as bfloat16, one row after another or in tiles (then the head's numbers fill them), from row `firstRow`
  /// on.
  at::Tensor runNarrow(bool inTiles, std::int64_t firstRow) {
    const std::int64_t count = of_.queries.size(0);
    const std::int64_t rows = roundUp(firstRow + count, kernels::kTileRows);
    const at::Tensor result = at::zeros({rows, headSize_}, at::kBFloat16);
    const at::Tensor scores = at::empty({kernels::attentionScratch(table_, of_.keys.size(0))});
    auto* memory = static_cast<std::uint16_t*>(result.data_ptr());
    kernels::Attention narrow = attention_;
    narrow.queries = static_cast<const std::uint32_t*>(queries_.const_data_ptr());
    narrow.queryCount = count;
    narrow.firstQuery = of_.firstQuery;
    narrow.scores = dataOf(scores);
    narrow.result = nullptr;
    narrow.narrowResult = inTiles ? memory : memory + firstRow * headSize_;
    narrow.isNarrowTiled = inTiles;
    narrow.firstRow = firstRow;
    narrow.resultStride = headSize_;
    table_.attend(narrow);
    const at::Tensor plain = inTiles ? untiled(result) : result;
    expect(plain.slice(0, 0, firstRow).eq(0).all().item<bool>(), "nothing written before a narrow result");
    expect(plain.slice(0, firstRow + count).eq(0).all().item<bool>(), "nothing written behind a narrow result");
    return plain.slice(0, firstRow, firstRow + count);
  }

 private:
  static constexpr std::int64_t kGap = 3;

  std::int64_t paddedHeadSize() const {
    return (headSize_ + table_.panelWidth - 1) / table_.panelWidth * table_.panelWidth;
  }

  const Kernels& table_;
  const Case& of_;
  std::int64_t headSize_;
  std::vector<at::Tensor> blocks_;
  std::vector<const float*> pointers_;
  at::Tensor queries_;
  kernels::Attention attention_;
};

/// In both formats: all at once within the tolerance, and each query alone the same bits.
void expectAttention(const Kernels& table, const Case& of, const std::string& what) {
  const std::int64_t count = of.queries.size(0);
  for (const Format format : {Format::kFloat32, Format::kBfloat16}) {
    const std::string where = what + (format == Format::kBfloat16 ? " in bfloat16" : " in float32");
    Attending attending(table, format, of);
    const at::Tensor together = attending.run(0, count);
    expectWithin(together, attendExactly(format, of), "attention " + where);
    for (std::int64_t query = 0; query < count; ++query)
      expect(at::equal(attending.run(query, 1)[0], together[query]), "the same bits of a query alone " + where);
    const at::Tensor narrow = together.to(at::kBFloat16);
    expect(at::equal(attending.runNarrow(/*inTiles=*/false, 0), narrow), "the nearest bfloat16 " + where);
    if (table.hasTiles && format == Format::kBfloat16 && of.keys.size(1) % 32 == 0)
      expect(at::equal(attending.runNarrow(/*inTiles=*/true, 7), narrow), "the nearest bfloat16 in tiles " + where);
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
    // The last queries of all positions; all positions, and more queries than keys: what a decoder never asks for.
    causal.firstQuery = std::max<std::int64_t>(0, causal.keys.size(0) - causal.queries.size(0));
    expectAttention(table, causal, "behind each query, of the last of " + where);
    causal.firstQuery = 0;
    expectAttention(table, causal, "behind each query, of " + where);
  });
}

void attendsToWhatIsKept(std::span<char*>) {
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
    expectAttention(table, masked, "where nothing is kept, of " + where);
    const at::Tensor mean = masked.values.mean(0).expand_as(masked.queries);
    expect(at::allclose(Attending(table, Format::kFloat32, masked).run(0, masked.queries.size(0)), mean, 0, kTolerance),
           "the mean of all values where nothing is kept, of " + where);
  });
}

constexpr std::array<test::Test, 4> kTests{{
    {"attend, a query's bits the same in any company", attends},
    {"attend with a bias by distance", attendsWithBias},
    {"attend to what isn't behind a query's position", attendsCausally},
    {"attend to what a mask keeps, and to all alike where it keeps nothing", attendsToWhatIsKept},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
