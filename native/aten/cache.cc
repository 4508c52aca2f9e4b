#include "aten/cache.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>

#include <utility>

#include "aten/shared_rows.h"

namespace torch_t5 {
namespace {

constexpr std::int64_t kRows = 2;  // dimensions of memory
constexpr std::int64_t kPositions = 4;

/// Room for `length` positions and for half as many more, so that each is copied but a few times.
std::int64_t capacityFor(std::int64_t length) {
  constexpr std::int64_t kBlock = 32;
  return (length + length / 2) / kBlock * kBlock + kBlock;
}

}  // namespace

CrossMemory CrossMemory::select(const std::vector<std::int64_t>& rows) const {
  std::vector<std::int64_t> sources;
  for (const std::int64_t row : rows) sources.push_back(row / count);
  const SharedRows shared = shareRows(sources);
  if (shared.areAllOf(keysAndValues.size(kRows))) return {keysAndValues, mask, shared.count};
  const at::Tensor selected = shared.on(keysAndValues.device());
  return {at::index_select(keysAndValues, kRows, selected), mask.defined() ? at::index_select(mask, 0, selected) : mask,
          shared.count};
}

SelfMemory::SelfMemory(at::IntArrayRef shape, const at::TensorOptions& options)
    : keysAndValues_(at::empty(shape, options)) {}

std::shared_ptr<SelfMemory> SelfMemory::extend(const std::shared_ptr<SelfMemory>& memory, std::int64_t length) {
  const std::int64_t capacity = memory->keysAndValues_.size(kPositions);
  if (memory->claimed_ == length && length < capacity) return memory;
  const std::shared_ptr<SelfMemory> copy = memory->makeLarger(memory->keysAndValues_.size(kRows), length);
  copy->positions(length).copy_(memory->positions(length));
  return copy;
}

std::shared_ptr<SelfMemory> SelfMemory::select(const at::Tensor& rows, std::int64_t length) const {
  std::shared_ptr<SelfMemory> selected = makeLarger(rows.size(0), length);
  at::Tensor to = selected->positions(length);
  at::index_select_out(to, positions(length), kRows, rows);
  return selected;
}

std::shared_ptr<SelfMemory> SelfMemory::makeLarger(std::int64_t rows, std::int64_t length) const {
  at::DimVector shape(keysAndValues_.sizes());
  shape[kRows] = rows;
  shape[kPositions] = capacityFor(length + 1);
  auto larger = std::make_shared<SelfMemory>(shape, keysAndValues_.options());
  larger->claim(length);
  return larger;
}

at::Tensor SelfMemory::positions(std::int64_t length) const { return keysAndValues_.narrow(kPositions, 0, length); }

at::Tensor SelfMemory::write(std::int64_t layer, std::int64_t position, const at::Tensor& keysAndValues) {
  const std::int64_t count = keysAndValues.size(3);
  const at::Tensor all = positions(position + count).select(0, layer);
  all.narrow(3, position, count).copy_(keysAndValues);
  return all;
}

AtenCache::AtenCache(std::shared_ptr<SelfMemory> self, std::int64_t length, CrossMemory cross)
    : self_(std::move(self)), length_(length), cross_(std::move(cross)) {}

std::shared_ptr<const DecoderCache> AtenCache::select(const at::Tensor& rows) const {
  // First what looks whether the rows are there.
  std::shared_ptr<SelfMemory> self = self_->select(rows, length_);
  return std::make_shared<const AtenCache>(std::move(self), length_, cross_.select(toVector(rows)));
}

}  // namespace torch_t5
