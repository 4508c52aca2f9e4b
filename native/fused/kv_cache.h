// Keys and values that a decoder has computed, written in place.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "fused/attention.h"
#include "fused/ragged_batch.h"

namespace torch_t5 {

/// The cross keys and values of every decoder layer for some rows of an encoder's output.
class CrossCache {
 public:
  CrossCache(const Heads& heads, std::int64_t layers, RaggedBatch batch);

  const RaggedBatch& batch() const { return batch_; }

  /// Where those of a layer lie.
  BlockTable table(std::int64_t layer) const;

 private:
  Heads heads_;
  std::int64_t layers_;
  RaggedBatch batch_;
  std::vector<std::int64_t> firstBlock_;  // of each sequence, in a layer and head
  std::int64_t blocks_ = 0;               // of a layer and head
  at::Tensor memory_;
};

/// Self keys and values of all layers for `blockWidth` positions of one sequence. Sequences that began alike share
/// pages: a position is written by whoever comes first, and who comes later continues in a copy.
struct Page {
  at::Tensor memory;         // [layers, heads, blockWords]
  std::int64_t written = 0;  // positions
};

class FusedCache final : public DecoderCache {
 public:
  /// Of rows that have read nothing yet; row i reads sequence `sources[i]` of `cross`.
  FusedCache(const Heads& heads, std::int64_t layers, std::shared_ptr<const CrossCache> cross,
             std::vector<std::int64_t> sources);

  std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const override;

  /// The cache of the same rows with room for `count` positions more, which only it may write.
  std::shared_ptr<FusedCache> extend(std::int64_t count, const Parallel& parallel) const;

  std::int64_t rows() const { return static_cast<std::int64_t>(pages_.size()); }
  std::int64_t position() const { return position_; }
  const CrossCache& cross() const { return *cross_; }
  const std::vector<std::int64_t>& sources() const { return sources_; }

  /// Where the blocks of a layer lie.
  BlockTable table(std::int64_t layer) const;

 private:
  using Pages = std::vector<std::shared_ptr<Page>>;

  FusedCache(const FusedCache& other);

  std::shared_ptr<Page> newPage() const;

  Heads heads_;
  std::int64_t layers_;
  std::shared_ptr<const CrossCache> cross_;
  std::vector<std::int64_t> sources_;
  std::vector<Pages> pages_;  // of each row
  std::int64_t position_ = 0;
};

}  // namespace torch_t5
