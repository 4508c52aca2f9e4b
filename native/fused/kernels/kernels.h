// The arithmetic that T5 spends its time on, written once (kernels_template.h) and compiled for each instruction set.
//
// A product's operands are rows of 32-bit words: a word is one float, two bfloat16 or four 8-bit integers, the next
// numbers of a row. Matrices lie in panels of `panelWidth` columns: word k of all columns, then word k + 1. Every
// number of a product is one sum over k in the same order, whatever rows and columns are computed beside it: a row's
// result never depends on its batch.
//
// The functions here have internal linkage: files compiled for different processors must not share them.
#pragma once

#include <cstdint>

#include "core/requests.h"

namespace torch_t5::kernels {

/// What the numbers of a product's operands are. Sums and results are float32 always.
enum class Format { kFloat32, kBfloat16, kInt8 };

/// How many numbers a word holds.
static constexpr std::int64_t numbersPerWord(Format format) {
  return format == Format::kFloat32 ? 1 : format == Format::kBfloat16 ? 2 : 4;
}

/// How many words a row of `columns` numbers takes.
static constexpr std::int64_t wordsPerRow(Format format, std::int64_t columns) {
  return (columns + numbersPerWord(format) - 1) / numbersPerWord(format);
}

// Kernels with tiles take a product's rows in tiles: `kTileWords` words of `kTileRows` rows, the next words of the same
// rows, and so on; then the rows that follow.
static constexpr std::int64_t kTileRows = 16;
static constexpr std::int64_t kTileWords = 16;

static constexpr std::int64_t kTileBfloat16s = 2 * kTileWords;  // numbers of a tile's row

static constexpr std::int64_t roundUp(std::int64_t number, std::int64_t multiple) {
  return (number + multiple - 1) / multiple * multiple;
}

/// Where a row of a product's left operand begins, in words. Of rows in tiles, each further tile's words lie
/// `kTileRows * kTileWords` behind.
static constexpr std::int64_t rowOffset(bool areTiled, std::int64_t row, std::int64_t words) {
  return areTiled ? row / kTileRows * kTileRows * words + row % kTileRows * kTileWords : row * words;
}

/// Where a column of bfloat16 numbers in tiles begins, in numbers, from its rows' first tile on.
static constexpr std::int64_t tiledColumn(std::int64_t column) {
  return column / kTileBfloat16s * kTileBfloat16s * kTileRows + column % kTileBfloat16s;
}

/// What becomes of a product's sums.
enum class Finish {
  kStore,
  kStream,    // stored past the caches: for what is larger than they are, and not read soon
  kAdd,       // to what is there: a residual connection
  kActivate,  // the activation of each
  kGate,      // the activation of the left half of a panel's columns times the right half
};

/// Rows of the left operand times some panels of the right one.
struct Product {
  const std::uint32_t* rows = nullptr;         // [rowCount][words]
  bool areTiled = false;                       // the rows
  const float* rowScales = nullptr;            // int8: of each row
  const std::uint32_t* panels = nullptr;       // [panels][words][panelWidth]
  const float* panelScales = nullptr;          // int8: of each column
  const std::int32_t* panelOffsets = nullptr;  // int8: 128 times each column's sum
  std::int64_t rowCount = 0;
  std::int64_t words = 0;  // of a row
  float* result = nullptr;
  std::int64_t resultStride = 0;          // in numbers
  std::uint16_t* narrowResult = nullptr;  // instead of `result`: finished numbers as bfloat16; not with kAdd
  /// In tiles: rows must be, too, the first a tile's, and `resultStride` a multiple of a tile's numbers.
  bool isNarrowTiled = false;
  std::int64_t columns = 0;  // of the result: the panels', or half of them with kGate; the last panel may have fewer
  Finish finish = Finish::kStore;
  Activation activation = Activation::kRelu;
};

/// One head's queries over keys and values that lie in blocks of `panelWidth` positions: keys, word by word as in a
/// panel whose columns are positions, then values, as in panels whose rows are positions.
struct Attention {
  Format format = Format::kFloat32;        // of queries, keys, values and probabilities: float32 or bfloat16
  const std::uint32_t* queries = nullptr;  // [queryCount][words of a head]
  std::int64_t queryStride = 0;            // in words
  std::int64_t queryCount = 0;
  const float* const* blocks = nullptr;  // words: keys [words of a head][panelWidth], values [words of a block][padded]
  std::int64_t keyCount = 0;
  std::int64_t headSize = 0;
  std::int64_t paddedHeadSize = 0;  // headSize, rounded up to whole panels
  /// The bias of key k and query q (both counted from 0) is bias[k - q - firstQuery]; null: none.
  const float* bias = nullptr;
  std::int64_t firstQuery = 0;  // the position of query 0
  bool isCausal = false;        // a query sees the keys up to its own position
  const float* mask = nullptr;  // [keyCount], added: 0 or the lowest float; null: none
  float* scores = nullptr;      // room for attentionScratch(keyCount) floats
  float* result = nullptr;      // [queryCount][headSize]
  std::int64_t resultStride = 0;
  std::uint16_t* narrowResult = nullptr;  // instead of `result`: bfloat16
  /// In tiles, which the head's numbers fill: `narrowResult` is the first tile of the head's columns, `firstRow` the
  /// row of query 0, `resultStride` a multiple of a tile's numbers.
  bool isNarrowTiled = false;
  std::int64_t firstRow = 0;
};

/// Rows of floats that become a product's left operand.
struct Rows {
  const float* rows = nullptr;
  std::int64_t rowStride = 0;  // in floats
  std::int64_t rowCount = 0;
  std::int64_t columns = 0;
  std::uint32_t* words = nullptr;  // [rowCount][wordsPerRow]
  float* scales = nullptr;         // int8: [rowCount]
  bool areTiled = false;           // the words
};

struct Kernels {
  const char* name;
  std::int64_t panelWidth;  // columns of a panel
  std::int64_t mostRows;    // that go through a panel at once
  bool hasTiles;            // of bfloat16 and int8

  /// result = finish(rows x panels).
  void (*multiply)(Format format, const Product& product);

  /// result = softmax(queries x keys + bias + mask) x values.
  void (*attend)(const Attention& attention);

  /// words = rows, in the format; with int8 each row has a scale of its own.
  void (*convert)(Format format, const Rows& rows);

  /// to[word * toStride + row] = rows[row * stride + word]: rows as columns of a panel.
  void (*transpose)(const std::uint32_t* rows, std::int64_t stride, std::int64_t rowCount, std::int64_t words,
                    std::uint32_t* to, std::int64_t toStride);

  /// words = weight * row / sqrt(mean(row^2) + epsilon), in the format: T5's layer norm. `scratch`: one row of floats.
  void (*normalize)(Format format, const Rows& rows, const float* weight, float epsilon, float* scratch);
};

/// Whether rows of so many words are to be in tiles.
static constexpr bool wantTiles(const Kernels& kernels, Format format, std::int64_t words) {
  return kernels.hasTiles && format != Format::kFloat32 && words % kTileWords == 0;
}

/// Floats that `Attention::scores` needs.
static constexpr std::int64_t attentionScratch(const Kernels& kernels, std::int64_t keyCount) {
  return kernels.mostRows * roundUp(keyCount, kernels.panelWidth);
}

// One table for each instruction set; null where this build, or this processor's architecture, has none.
const Kernels* amxKernels();
const Kernels* avx512Bf16Kernels();
const Kernels* avx512Kernels();
const Kernels* avx2Kernels();
const Kernels* portableKernels();

}  // namespace torch_t5::kernels
