// The kernels of the fused engine: GEMM with an epilogue, attention, layer norm and conversion. They are written once
// (kernels_template.h) and compiled for each instruction set.
//
// Operands are rows of 32-bit words. A word holds consecutive elements of a row: one float32, two bfloat16 or four
// 8-bit integers. The right operand is packed into panels of `panelWidth` columns: word k of all the panel's columns,
// then word k + 1; for matrix instructions, words k and k + 1 of each column (`PanelLayout`). Every element of a result
// is one sum over k in the same order, whichever rows and columns are computed with it, so a row's result never depends
// on its batch.
//
// The functions here have internal linkage: files compiled for different instruction sets must not share them.
#pragma once

#include <cstdint>

#include "core/requests.h"

namespace torch_t5::kernels {

/// The type of an operand's elements. Accumulators and results are always float32.
enum class DataType { kFloat32, kBfloat16, kInt8 };

static constexpr std::int64_t elementsPerWord(DataType dataType) {
  return dataType == DataType::kFloat32 ? 1 : dataType == DataType::kBfloat16 ? 2 : 4;
}

/// Words of a row of `columns` elements.
static constexpr std::int64_t wordsPerRow(DataType dataType, std::int64_t columns) {
  return (columns + elementsPerWord(dataType) - 1) / elementsPerWord(dataType);
}

static constexpr float kMaxInt8 = 127.0F;            // int8 is quantized symmetrically, from -127 to 127
static constexpr std::int32_t kInt8ZeroPoint = 128;  // added to the left operand's int8 elements: they become unsigned

// Kernels with tiles read the left operand in tiles of `kTileRows` rows by `kTileWords` words. The tiles of the first
// 16 rows come first, in the order of their words, then the tiles of the next 16 rows.
static constexpr std::int64_t kTileRows = 16;
static constexpr std::int64_t kTileWords = 16;
static constexpr std::int64_t kTileBf16Columns = 2 * kTileWords;  // bfloat16 elements in a row of a tile

static constexpr std::int64_t roundUp(std::int64_t number, std::int64_t multiple) {
  return (number + multiple - 1) / multiple * multiple;
}

/// The offset in words of a row's first word, in a left operand of `words` words a row. In tiles, the row continues
/// `kTileRows * kTileWords` words later in each next tile.
static constexpr std::int64_t rowOffset(bool isTiled, std::int64_t row, std::int64_t words) {
  return isTiled ? row / kTileRows * kTileRows * words + row % kTileRows * kTileWords : row * words;
}

/// The offset in elements of a column of tiled bfloat16 elements, from the first tile of its rows.
static constexpr std::int64_t tiledColumnOffset(std::int64_t column) {
  return column / kTileBf16Columns * kTileBf16Columns * kTileRows + column % kTileBf16Columns;
}

/// What is done with the accumulators of a GEMM before they are written.
enum class Epilogue {
  kStore,
  kStream,    // stored with non-temporal stores, which bypass the caches: for large results that are not read soon
  kAdd,       // added to the result: a residual connection
  kActivate,  // the activation is applied
  kGate,      // the activation of the left half of a panel's columns, times the right half
};

/// result = epilogue(rows x panels): rows of the left operand times some panels of the right one.
struct GemmArgs {
  const std::uint32_t* rows = nullptr;              // [rowCount][words]
  bool areRowsTiled = false;                        // `rows` are stored in tiles
  const float* rowScales = nullptr;                 // int8: [rowCount]
  const std::uint32_t* panels = nullptr;            // [panels][words][panelWidth]
  const float* panelScales = nullptr;               // int8: [panels][panelWidth]
  const std::int32_t* panelCompensation = nullptr;  // int8: the zero point times each column's sum
  std::int64_t rowCount = 0;
  std::int64_t words = 0;  // of a row
  float* result = nullptr;
  std::int64_t resultStride = 0;        // in elements
  std::uint16_t* bf16Result = nullptr;  // set instead of `result`: the result as bfloat16; not with kAdd
  /// `bf16Result` is stored in tiles. Then the rows must be tiled too and start at the first row of a tile, and
  /// `resultStride` must be a multiple of `kTileBf16Columns`.
  bool isBf16ResultTiled = false;
  std::int64_t columns = 0;  // of the result: at most the panels' columns, or half of them with kGate
  Epilogue epilogue = Epilogue::kStore;
  Activation activation = Activation::kRelu;
};

/// result = softmax(queries x keys + bias + mask) x values, for one head. Keys and values are stored in blocks of
/// `panelWidth` positions. A block holds its keys as a panel whose columns are positions, then its values as panels
/// whose rows are positions.
struct AttentionArgs {
  DataType dataType = DataType::kFloat32;  // of queries, keys, values and probabilities: float32 or bfloat16
  const std::uint32_t* queries = nullptr;  // [queryCount][words of a head]
  std::int64_t queryStride = 0;            // in words
  std::int64_t queryCount = 0;
  /// The words of each block: keys [words of a head][panelWidth], values [words of a block's
  /// positions][paddedHeadSize].
  const float* const* blocks = nullptr;
  std::int64_t keyCount = 0;
  std::int64_t headSize = 0;
  std::int64_t paddedHeadSize = 0;  // headSize, rounded up to whole panels
  /// The bias of key k and query q (both counted from 0) is bias[k - q - firstQuery]. Null: no bias.
  const float* bias = nullptr;
  std::int64_t firstQuery = 0;  // the position of query 0
  bool isCausal = false;        // a query attends only to keys up to its own position
  const float* mask = nullptr;  // [keyCount], added to the scores: 0 or the lowest float. Null: no mask.
  float* scores = nullptr;      // workspace of attentionScoresSize(keyCount) floats
  float* result = nullptr;      // [queryCount][headSize]
  std::int64_t resultStride = 0;
  std::uint16_t* bf16Result = nullptr;  // set instead of `result`: the result as bfloat16
  /// `bf16Result` is the first tile of the head's columns. Then `headSize` and `resultStride` must be multiples of
  /// `kTileBf16Columns`, and query 0 is written to row `firstRow`.
  bool isBf16ResultTiled = false;
  std::int64_t firstRow = 0;
};

/// Rows of floats, and the left operand that they become.
struct RowArgs {
  const float* rows = nullptr;
  std::int64_t rowStride = 0;  // in floats
  std::int64_t rowCount = 0;
  std::int64_t columns = 0;
  std::uint32_t* words = nullptr;  // [rowCount][wordsPerRow]
  float* scales = nullptr;         // int8: [rowCount]
  bool isTiled = false;            // `words` are stored in tiles
};

/// The kernels of one instruction set.
struct Kernels {
  const char* name;
  std::int64_t panelWidth;  // columns of a panel: NR in BLIS
  std::int64_t maxRows;     // that the micro-kernel multiplies at once: MR in BLIS
  bool hasTiles;            // for bfloat16 and int8
  bool pairsWords;          // panels of bfloat16 and int8 hold pairs of words: see `PanelLayout`

  void (*gemm)(DataType dataType, const GemmArgs& args);

  void (*attend)(const AttentionArgs& args);

  /// words = rows, in the data type. int8: each row has its own scale.
  void (*convert)(DataType dataType, const RowArgs& args);

  /// to[word * toStride + row] = rows[row * stride + word]: packs rows as columns of a panel.
  void (*transpose)(const std::uint32_t* rows, std::int64_t stride, std::int64_t rowCount, std::int64_t words,
                    std::uint32_t* to, std::int64_t toStride);

  /// words = weight * row / sqrt(mean(row^2) + epsilon), in the data type: Hugging Face's T5LayerNorm. `scratch`: one
  /// row of floats; unused for float32.
  void (*normalize)(DataType dataType, const RowArgs& args, const float* weight, float epsilon, float* scratch);

  /// The limit of `gemm`, for benchmarks: `iterations` times the products of one word of `maxRows` rows with one panel,
  /// all of it in registers and the L1 cache.
  void (*repeatDotProducts)(DataType dataType, std::int64_t iterations);
};

/// Whether a left operand of `words` words a row is stored in tiles.
static constexpr bool usesTiles(const Kernels& kernels, DataType dataType, std::int64_t words) {
  return kernels.hasTiles && dataType != DataType::kFloat32 && words % kTileWords == 0;
}

/// Where a panel holds the words of its columns.
struct PanelLayout {
  constexpr PanelLayout(const Kernels& kernels, DataType dataType, std::int64_t words)
      : width(kernels.panelWidth),
        pairedWords(kernels.pairsWords && dataType != DataType::kFloat32 ? words - words % 2 : 0) {}

  /// The offset of a column's word. In pairs, each column's word k + 1 follows its word k.
  constexpr std::int64_t offset(std::int64_t column, std::int64_t word) const {
    const std::int64_t second = word % 2;
    return word < pairedWords ? (word - second) * width + 2 * column + second : word * width + column;
  }

  std::int64_t width;
  std::int64_t pairedWords;  // the first words, which are in pairs
};

/// The number of floats in `AttentionArgs::scores`.
static constexpr std::int64_t attentionScoresSize(const Kernels& kernels, std::int64_t keyCount) {
  return kernels.maxRows * roundUp(keyCount, kernels.panelWidth);
}

// The kernels of each instruction set. Null: this build or the processor's architecture has none.
const Kernels* amxKernels();
const Kernels* avx512Bf16Kernels();
const Kernels* avx512Kernels();
const Kernels* avx2VnniKernels();
const Kernels* avx2Kernels();
const Kernels* neonMatrixKernels();
const Kernels* neonDotProductKernels();
const Kernels* neonKernels();
const Kernels* portableKernels();

}  // namespace torch_t5::kernels
