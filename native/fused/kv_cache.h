// The KV caches of a decoder: cross keys and values of the encoder's rows, and paged self keys and values.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "fused/attention.h"
#include "fused/ragged_batch.h"

namespace torch_t5 {

/// The cross keys and values of every decoder layer, for some rows of an encoder's output.
class CrossKvCache {
 public:
  CrossKvCache(const HeadLayout& heads, std::int64_t layers, RaggedBatch batch);

  const RaggedBatch& batch() const { return batch_; }

  /// The maximum number of blocks of a sequence and head.
  std::int64_t maxBlocks() const { return heads_.blocksFor(batch_.maxLength()); }

  /// Writes the blocks of one layer to a table, from its sequence `first` on.
  void writeBlocks(std::int64_t layer, BlockTable& table, std::int64_t first) const;

 private:
  HeadLayout heads_;
  std::int64_t layers_;
  RaggedBatch batch_;
  std::vector<std::int64_t> firstBlock_;  // of each sequence, within a layer and head
  std::int64_t blocks_ = 0;               // of a layer and head
  at::Tensor memory_;
};

/// Self keys and values of all layers, for `blockWidth` positions of one sequence. Sequences with a common prefix share
/// pages. The first of them to continue writes its positions in place; the others continue in a copy.
struct Page {
  at::Tensor memory;         // [layers, heads, blockWords]
  std::int64_t written = 0;  // positions
};

/// The cache of a decoder's rows: their pages, and the cross keys and values that they read.
class PagedKvCache final : public DecoderCache {
 public:
  /// An empty cache. Row i reads sequence `sources[i]` of `cross`.
  PagedKvCache(const HeadLayout& heads, std::int64_t layers, std::shared_ptr<const CrossKvCache> cross,
               std::vector<std::int64_t> sources);

  std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const override;

  /// A cache of the same rows with `count` more positions. They are not written yet, and only the new cache may write
  /// them.
  std::shared_ptr<PagedKvCache> extend(std::int64_t count, const Executor& executor) const;

  std::int64_t rows() const { return static_cast<std::int64_t>(pages_.size()); }
  std::int64_t positions() const { return positions_; }
  const CrossKvCache& cross() const { return *cross_; }
  const std::vector<std::int64_t>& sources() const { return sources_; }

  /// The maximum number of blocks of a row and head.
  std::int64_t maxBlocks() const { return heads_.blocksFor(positions_); }

  /// Writes the blocks of one layer to a table, from its sequence `first` on.
  void writeBlocks(std::int64_t layer, BlockTable& table, std::int64_t first) const;

 private:
  using Pages = std::vector<std::shared_ptr<Page>>;

  PagedKvCache(const PagedKvCache& other);

  std::shared_ptr<Page> newPage() const;

  HeadLayout heads_;
  std::int64_t layers_;
  std::shared_ptr<const CrossKvCache> cross_;
  std::vector<std::int64_t> sources_;
  std::vector<Pages> pages_;  // of each row
  std::int64_t positions_ = 0;
};

/// The cross caches that were computed last, for decoders that start from the same rows of an encoder's output.
class RecentCrossKvCaches {
 public:
  /// The rows of an encoder's output that a source reads, each once.
  struct Entry {
    at::Tensor encoderRows;                     // int64; undefined: all rows, in order
    std::vector<std::int64_t> sources;          // for each decoded row, the index of its row in `encoderRows`
    std::shared_ptr<const CrossKvCache> cache;  // null: must be computed
  };

  /// The rows that `source` reads. `cache` is set if there is one for the same rows of the same encoder's output.
  Entry find(const DecoderSource& source) const;

  /// Keeps weak references: a cache is found while the encoder's output and a decoder with this cache exist.
  void store(const DecoderSource& source, const Entry& entry);

 private:
  struct Stored {
    std::weak_ptr<const EncoderOutput> encoderOutput;
    at::Tensor encoderRows;
    std::weak_ptr<const CrossKvCache> cache;
  };

  std::vector<Stored> stored_;
};

}  // namespace torch_t5
