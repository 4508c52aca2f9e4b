// Attention over keys and values that lie in blocks, as kernels read them: of the positions of one head, `panelWidth` a
// block.
#pragma once

#include <cstdint>
#include <vector>

#include "fused/kernels/kernels.h"
#include "fused/linear.h"
#include "fused/scratch.h"
#include "fused/threading/parallel.h"

namespace torch_t5 {

/// The heads of a model, and how large the blocks of one are.
struct Heads {
  std::int64_t count = 0;
  std::int64_t size = 0;
  std::int64_t paddedSize = 0;                         // to whole panels
  std::int64_t blockWidth = 0;                         // positions
  kernels::Format format = kernels::Format::kFloat32;  // of keys and values: float32 or bfloat16

  /// bfloat16: `size` is even.
  Heads(std::int64_t count, std::int64_t size, kernels::Format format, const kernels::Kernels& kernels);

  std::int64_t columns() const { return count * size; }
  std::int64_t words() const { return count * headWords(); }  // of all heads of a position
  std::int64_t headWords() const { return kernels::wordsPerRow(format, size); }
  std::int64_t keyWords() const { return headWords() * blockWidth; }
  std::int64_t blockWords() const { return keyWords() + kernels::wordsPerRow(format, blockWidth) * paddedSize; }
  std::int64_t blocksFor(std::int64_t positions) const { return (positions + blockWidth - 1) / blockWidth; }
};

/// Where the blocks of every sequence and head lie, in one layer.
class BlockTable {
 public:
  BlockTable(std::int64_t sequences, std::int64_t heads, std::int64_t mostBlocks)
      : heads_(heads), mostBlocks_(mostBlocks), blocks_(static_cast<std::size_t>(sequences * heads * mostBlocks)) {}

  float** of(std::int64_t sequence, std::int64_t head) {
    return blocks_.data() + (sequence * heads_ + head) * mostBlocks_;
  }
  const float* const* of(std::int64_t sequence, std::int64_t head) const {
    return blocks_.data() + (sequence * heads_ + head) * mostBlocks_;
  }
  std::int64_t heads() const { return heads_; }

 private:
  std::int64_t heads_;
  std::int64_t mostBlocks_;
  std::vector<float*> blocks_;
};

/// Positions of one sequence whose keys and values are new: rows `row` to `row + count` of the projections.
struct NewKeys {
  std::int64_t row = 0;
  std::int64_t count = 0;     // 0: all keys are there already
  std::int64_t position = 0;  // of the first, in the sequence
};

/// Projections of all heads: in the heads' format, one head's words after another's.
struct KeyValues {
  WordRows keys;
  WordRows values;
};

/// Writes the keys and values of every sequence to the table.
void writeKeys(const Parallel& parallel, const Heads& heads, const std::vector<NewKeys>& sequences,
               const KeyValues& from, BlockTable& table);

/// The queries of one sequence, and what they attend to.
struct QueryRows {
  std::int64_t row = 0;  // of its first query, in the projection and in the result
  std::int64_t count = 0;
  std::int64_t position = 0;  // of the first query, in its sequence
  std::int64_t sequence = 0;  // of the table
  std::int64_t keyCount = 0;
  const float* mask = nullptr;  // [keyCount], added; null: none
  NewKeys newKeys;              // written to the table first
};

/// A bias of every head: `data[head * stride + k - q]` for key k and query q. Null: none.
struct Bias {
  const float* data = nullptr;
  std::int64_t stride = 0;
};

struct AttentionSettings {
  Bias bias;
  bool isCausal = false;
};

/// What the results are wanted as.
struct ContextShape {
  kernels::Format format;
  std::int64_t rows;
};

/// Attention of the queries [rows, heads x size], as an operand in scratch memory. `newKeys`: what is new of every
/// sequence. Without a table all keys must be new, and are forgotten.
Operand attend(const Parallel& parallel, Scratch& scratch, const Heads& heads, const std::vector<QueryRows>& rows,
               const WordRows& queries, const KeyValues& newKeys, BlockTable* table, const AttentionSettings& settings,
               const ContextShape& shape);

}  // namespace torch_t5
