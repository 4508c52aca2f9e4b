#include "aten/cache.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/tensors.h"

namespace torch_t5 {
namespace {

// Dimensions of keys and values.
constexpr std::int64_t kRows = 2;
constexpr std::int64_t kPositions = 4;

/// Room for `length` positions and half as many more, so that growing copies each position only a few times.
std::int64_t capacityFor(std::int64_t length) {
  constexpr std::int64_t kBlock = 32;
  return (length + length / 2) / kBlock * kBlock + kBlock;
}

}  // namespace

bool RowGroups::areIdentity(std::int64_t count) const {
  if (static_cast<std::int64_t>(sourceRows.size()) != count) return false;
  std::int64_t next = 0;
  return std::all_of(sourceRows.begin(), sourceRows.end(), [&](std::int64_t row) { return row == next++; });
}

at::Tensor RowGroups::sourceRowsOn(const at::Device& device) const {
  return at::tensor(sourceRows, at::kLong).to(device);
}

RowGroups groupRows(const std::vector<std::int64_t>& sourceRows) {
  RowGroups groups{{}, 0};
  std::size_t first = 0;  // of a run of equal source rows
  for (std::size_t row = 1; row <= sourceRows.size(); ++row) {
    if (row < sourceRows.size() && sourceRows[row] == sourceRows[first]) continue;
    groups.size = std::gcd(groups.size, static_cast<std::int64_t>(row - first));
    first = row;
  }
  for (std::size_t row = 0; row < sourceRows.size(); row += static_cast<std::size_t>(groups.size))
    groups.sourceRows.push_back(sourceRows[row]);
  return groups;
}

AtenCrossCache AtenCrossCache::select(const std::vector<std::int64_t>& rows) const {
  std::vector<std::int64_t> cacheRows;
  for (const std::int64_t row : rows) cacheRows.push_back(row / groupSize);
  const RowGroups groups = groupRows(cacheRows);
  if (groups.areIdentity(keysAndValues.size(kRows))) return {keysAndValues, padding, mask, groups.size};
  const at::Tensor selected = groups.sourceRowsOn(keysAndValues.device());
  const auto selectRows = [&](const at::Tensor& tensor) {
    return tensor.defined() ? at::index_select(tensor, 0, selected) : tensor;
  };
  return {at::index_select(keysAndValues, kRows, selected), selectRows(padding), selectRows(mask), groups.size};
}

void AtenCrossCache::describe(StepRow& description, std::int64_t row) const {
  const std::int64_t cacheRow = row / groupSize;
  description.crossKeys = keysAndValues[0][0][cacheRow].const_data_ptr();
  description.crossValues = keysAndValues.stride(1);
  description.crossLayer = keysAndValues.stride(0);
  description.sourceLength = static_cast<int>(keysAndValues.size(kPositions));
  description.crossMask = padding.defined() ? padding[cacheRow].const_data_ptr<float>() : nullptr;
}

AtenSelfCache::AtenSelfCache(at::IntArrayRef shape, const at::TensorOptions& options)
    : keysAndValues_(at::empty(shape, options)) {}

std::shared_ptr<AtenSelfCache> AtenSelfCache::extend(const std::shared_ptr<AtenSelfCache>& cache, std::int64_t length,
                                                     std::int64_t count) {
  if (cache->claimedLength_ == length && length + count <= cache->capacity()) return cache;
  const std::shared_ptr<AtenSelfCache> copy =
      cache->makeLarger(cache->keysAndValues_.size(kRows), length, length + count);
  copy->firstPositions(length).copy_(cache->firstPositions(length));
  return copy;
}

std::shared_ptr<AtenSelfCache> AtenSelfCache::select(const at::Tensor& rows, std::int64_t length) const {
  std::shared_ptr<AtenSelfCache> selected = makeLarger(rows.size(0), length, length + 1);
  at::Tensor to = selected->firstPositions(length);
  at::index_select_out(to, firstPositions(length), kRows, rows);
  return selected;
}

at::Tensor AtenSelfCache::write(std::int64_t layer, std::int64_t position, const at::Tensor& keysAndValues) {
  const std::int64_t count = keysAndValues.size(3);
  const at::Tensor all = firstPositions(position + count).select(0, layer);
  all.narrow(3, position, count).copy_(keysAndValues);
  return all;
}

void AtenSelfCache::writePrefix(const at::Tensor& keysAndValues) {
  firstPositions(keysAndValues.size(kPositions)).copy_(keysAndValues);
}

void AtenSelfCache::describe(StepRow& description, std::int64_t row) const {
  description.selfKeys = keysAndValues_[0][0][row].data_ptr();
  description.selfValues = keysAndValues_.stride(1);
  description.selfLayer = keysAndValues_.stride(0);
  description.selfCapacity = static_cast<int>(capacity());
}

std::int64_t AtenSelfCache::capacity() const { return keysAndValues_.size(kPositions); }

std::shared_ptr<AtenSelfCache> AtenSelfCache::makeLarger(std::int64_t rows, std::int64_t length,
                                                         std::int64_t positions) const {
  at::DimVector shape(keysAndValues_.sizes());
  shape[kRows] = rows;
  shape[kPositions] = capacityFor(positions);
  auto larger = std::make_shared<AtenSelfCache>(shape, keysAndValues_.options());
  larger->claim(length);
  return larger;
}

at::Tensor AtenSelfCache::firstPositions(std::int64_t length) const {
  return keysAndValues_.narrow(kPositions, 0, length);
}

AtenCache::AtenCache(std::shared_ptr<AtenSelfCache> self, std::int64_t length, AtenCrossCache cross)
    : self_(std::move(self)), length_(length), cross_(std::move(cross)) {}

std::shared_ptr<const DecoderCache> AtenCache::select(const at::Tensor& rows) const {
  // The self cache first: it throws for a row out of range, which the cross cache does not notice.
  std::shared_ptr<AtenSelfCache> self = self_->select(rows, length_);
  return std::make_shared<const AtenCache>(std::move(self), length_, cross_.select(toVector(rows)));
}

}  // namespace torch_t5
