// The ATen engine's decoder cache.
//
// Decoded rows that follow one another often read the same source row: the beams of a search, or the targets of a score
// request. The cross-attention cache stores keys and values once for each group of such rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "aten/kernels/step_row.h"
#include "engine/engine.h"

namespace torch_t5 {

/// Groups of decoded rows that read the same source row: decoded row i reads sourceRows[i / size].
struct RowGroups {
  std::vector<std::int64_t> sourceRows;  // of each group
  std::int64_t size = 1;                 // decoded rows per group

  /// Whether the groups read source rows 0 to count - 1, in this order.
  bool areIdentity(std::int64_t count) const;

  /// `sourceRows` as int64 on a device.
  at::Tensor sourceRowsOn(const at::Device& device) const;
};

/// The groups of decoded rows where row i reads sourceRows[i], as large as possible.
RowGroups groupRows(const std::vector<std::int64_t>& sourceRows);

/// Keys and values of the sources, for each group of decoded rows. Decoded row i reads row i / groupSize.
struct AtenCrossCache {
  at::Tensor keysAndValues;  // [layers, 2, rows, heads, S, dKv]
  at::Tensor padding;        // float32 [rows, 1, 1, S], contiguous, added to scores; undefined without padding
  at::Tensor mask;           // `padding` in the form that `attend` takes
  std::int64_t groupSize = 1;

  /// Decoded row i of the result reads what decoded row rows[i] reads.
  AtenCrossCache select(const std::vector<std::int64_t>& rows) const;

  /// Describes decoded row `row`. Requires contiguous keys and values.
  void describe(StepRow& description, std::int64_t row) const;
};

/// Keys and values of the decoded positions, with room for more. Caches of consecutive steps share this memory. A cache
/// that contains all positions claimed so far may append to it; any other continues on a copy.
class AtenSelfCache {
 public:
  /// `shape`: [layers, 2, rows, heads, capacity, dKv], with capacity in positions.
  AtenSelfCache(at::IntArrayRef shape, const at::TensorOptions& options);

  /// A cache with room for `count` more positions than `length`: `cache` itself, or a copy if another cache has already
  /// continued it or if it is too small.
  static std::shared_ptr<AtenSelfCache> extend(const std::shared_ptr<AtenSelfCache>& cache, std::int64_t length,
                                               std::int64_t count = 1);

  /// A copy of the first `length` positions of some rows, with room for more. `rows`: int64 on the device.
  std::shared_ptr<AtenSelfCache> select(const at::Tensor& rows, std::int64_t length) const;

  /// Writes a layer's keys and values [2, rows, heads, n, dKv] at `position` and the next n - 1. Returns those of all
  /// positions up to there.
  at::Tensor write(std::int64_t layer, std::int64_t position, const at::Tensor& keysAndValues);

  /// Writes all layers' keys and values [layers, 2, rows, heads, n, dKv] of the first n positions.
  void writePrefix(const at::Tensor& keysAndValues);

  /// Describes row `row`.
  void describe(StepRow& description, std::int64_t row) const;

  /// Positions that there is room for.
  std::int64_t capacity() const;

  /// Marks the first `length` positions as part of a cache.
  void claim(std::int64_t length) { claimedLength_ = length; }

 private:
  /// An empty cache for `rows` rows and at least `positions` positions, of which the first `length` are claimed.
  std::shared_ptr<AtenSelfCache> makeLarger(std::int64_t rows, std::int64_t length, std::int64_t positions) const;
  at::Tensor firstPositions(std::int64_t length) const;

  at::Tensor keysAndValues_;
  std::int64_t claimedLength_ = 0;
};

class AtenCache final : public DecoderCache {
 public:
  AtenCache(std::shared_ptr<AtenSelfCache> self, std::int64_t length, AtenCrossCache cross);

  std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const override;

  const std::shared_ptr<AtenSelfCache>& self() const { return self_; }
  std::int64_t length() const { return length_; }
  const AtenCrossCache& cross() const { return cross_; }

 private:
  std::shared_ptr<AtenSelfCache> self_;
  std::int64_t length_;  // positions decoded
  AtenCrossCache cross_;
};

}  // namespace torch_t5
