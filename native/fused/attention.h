// Attention over keys and values in blocks. A block holds `panelWidth` positions of one head, packed for the kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "fused/kernels/kernels.h"
#include "fused/linear.h"
#include "fused/scratch.h"
#include "fused/threading/worker_pool.h"

namespace torch_t5 {

/// The heads of a model, and the layout of their blocks.
struct HeadLayout {
  std::int64_t count = 0;
  std::int64_t size = 0;
  std::int64_t paddedSize = 0;                               // rounded up to whole panels
  std::int64_t blockWidth = 0;                               // positions
  kernels::DataType dataType = kernels::DataType::kFloat32;  // of keys and values: float32 or bfloat16

  /// bfloat16: `size` must be even.
  HeadLayout(std::int64_t count, std::int64_t size, kernels::DataType dataType, const kernels::Kernels& kernels);

  std::int64_t columns() const { return count * size; }
  std::int64_t words() const { return count * headWords(); }  // of all heads at one position
  std::int64_t headWords() const { return kernels::wordsPerRow(dataType, size); }
  std::int64_t keyWords() const { return headWords() * blockWidth; }  // of a block
  std::int64_t blockWords() const { return keyWords() + kernels::wordsPerRow(dataType, blockWidth) * paddedSize; }
  std::int64_t blocksFor(std::int64_t positions) const { return (positions + blockWidth - 1) / blockWidth; }
};

/// The addresses of the blocks of every sequence and head, in one layer.
class BlockTable {
 public:
  BlockTable(std::int64_t sequences, std::int64_t heads, std::int64_t maxBlocks)
      : heads_(heads), maxBlocks_(maxBlocks), blocks_(static_cast<std::size_t>(sequences * heads * maxBlocks)) {}

  float** blocks(std::int64_t sequence, std::int64_t head) {
    return blocks_.data() + (sequence * heads_ + head) * maxBlocks_;
  }

 private:
  std::int64_t heads_;
  std::int64_t maxBlocks_;
  std::vector<float*> blocks_;
};

/// Positions of one sequence whose keys and values are new: rows `row` to `row + count - 1` of the projections.
struct NewPositions {
  std::int64_t row = 0;
  std::int64_t count = 0;     // 0: the table holds all keys and values already
  std::int64_t position = 0;  // of the first, in the sequence
};

/// The projected keys and values of all heads, one head after another in each row, in the heads' data type.
struct KeyValues {
  WordRows keys;
  WordRows values;
};

/// Writes the new keys and values of consecutive sequences to the table's blocks. `first`: the table index of the first
/// sequence.
void writeKeyValues(const Executor& executor, const HeadLayout& heads, const std::vector<NewPositions>& sequences,
                    const KeyValues& from, BlockTable& table, std::int64_t first);

/// The queries of one sequence, and the keys that they attend to.
struct SequenceQueries {
  std::int64_t row = 0;  // of the first query, in the projection
  std::int64_t count = 0;
  std::int64_t position = 0;    // of the first query, in its sequence
  std::int64_t tableIndex = 0;  // of its sequence, in the block table
  std::int64_t keyCount = 0;
  const float* mask = nullptr;  // [keyCount], added to the scores. Null: no mask.
  NewPositions newPositions;    // written to the table first
  std::int64_t resultRow = 0;   // of the first query, in the result
};

/// A position bias for every head: `data[head * stride + k - q]` for key k and query q. Null: no bias.
struct PositionBias {
  const float* data = nullptr;
  std::int64_t stride = 0;
};

struct AttentionSettings {
  PositionBias bias;
  bool isCausal = false;
};

/// The data type and the number of rows of the context: attention's result.
struct ContextShape {
  kernels::DataType dataType;
  std::int64_t rows;
};

/// The context [shape.rows, heads x size] of the queries, as an operand in scratch memory. Writes the new keys and
/// values to the table first. Without a table, all keys must be new, and none is kept.
Operand attend(const Executor& executor, Scratch& scratch, const HeadLayout& heads,
               const std::vector<SequenceQueries>& sequences, const WordRows& queries, const KeyValues& newKeyValues,
               BlockTable* table, const AttentionSettings& settings, const ContextShape& shape);

}  // namespace torch_t5
