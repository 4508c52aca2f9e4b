// What the ATen engine's decoder remembers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"

namespace torch_t5 {

/// Keys and values of the sources, for each source row once. Decoded row i reads row i / count.
struct CrossMemory {
  at::Tensor keysAndValues;  // [layers, 2, rows, heads, S, dKv]
  at::Tensor mask;           // added to scores [rows, 1, 1, S]; undefined: nothing is padding
  std::int64_t count = 1;

  /// Decoded row i of the result reads what row rows[i] reads.
  CrossMemory select(const std::vector<std::int64_t>& rows) const;
};

/// Keys and values of the positions that were decoded, in memory that has room for more. Caches share it: one that
/// remembers all positions that any remembers may write behind them.
class SelfMemory {
 public:
  /// `shape`: [layers, 2, rows, heads, positions, dKv]; there is room for as many positions.
  SelfMemory(at::IntArrayRef shape, const at::TensorOptions& options);

  /// Memory for one more position than `length`: itself, or a copy where another cache goes on already, or where it is
  /// full.
  static std::shared_ptr<SelfMemory> extend(const std::shared_ptr<SelfMemory>& memory, std::int64_t length);

  /// A copy of `length` positions of some rows, with room for more.
  std::shared_ptr<SelfMemory> select(const at::Tensor& rows, std::int64_t length) const;

  /// Writes a layer's keys and values [2, rows, heads, n, dKv] from `position` on, and gives those of all positions.
  at::Tensor write(std::int64_t layer, std::int64_t position, const at::Tensor& keysAndValues);

  /// From now on the first `length` positions are some cache's.
  void claim(std::int64_t length) { claimed_ = length; }

 private:
  std::shared_ptr<SelfMemory> makeLarger(std::int64_t rows, std::int64_t length) const;
  at::Tensor positions(std::int64_t length) const;

  at::Tensor keysAndValues_;
  std::int64_t claimed_ = 0;
};

class AtenCache final : public DecoderCache {
 public:
  AtenCache(std::shared_ptr<SelfMemory> self, std::int64_t length, CrossMemory cross);

  std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const override;

  const std::shared_ptr<SelfMemory>& self() const { return self_; }
  std::int64_t length() const { return length_; }
  const CrossMemory& cross() const { return cross_; }

 private:
  std::shared_ptr<SelfMemory> self_;
  std::int64_t length_;  // positions decoded
  CrossMemory cross_;
};

}  // namespace torch_t5
