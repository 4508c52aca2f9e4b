#include "fused/kv_cache.h"

#include <ATen/ops/_unique2.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/errors.h"
#include "core/platform/huge_pages.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

bool areSame(const at::Tensor& a, const at::Tensor& b) {
  if (a.defined() != b.defined()) return false;
  return !a.defined() || (a.sizes() == b.sizes() && at::equal(a, b));
}

}  // namespace

CrossKvCache::CrossKvCache(const HeadLayout& heads, std::int64_t layers, RaggedBatch batch)
    : heads_(heads), layers_(layers), batch_(std::move(batch)) {
  for (const Sequence& sequence : batch_.sequences()) {
    firstBlock_.push_back(blocks_);
    blocks_ += heads_.blocksFor(sequence.length);
  }
  memory_ = emptyInHugePages({layers_, heads_.count, blocks_, heads_.blockWords()}, at::kFloat);
}

void CrossKvCache::writeBlocks(std::int64_t layer, BlockTable& table, std::int64_t first) const {
  float* memory = static_cast<float*>(memory_.data_ptr());
  for (std::size_t sequence = 0; sequence < firstBlock_.size(); ++sequence) {
    const std::int64_t count = heads_.blocksFor(batch_.sequences()[sequence].length);
    for (std::int64_t head = 0; head < heads_.count; ++head) {
      const std::int64_t start = (layer * heads_.count + head) * blocks_ + firstBlock_[sequence];
      float** blocks = table.blocks(first + static_cast<std::int64_t>(sequence), head);
      for (std::int64_t block = 0; block < count; ++block)
        blocks[block] = memory + (start + block) * heads_.blockWords();
    }
  }
}

PagedKvCache::PagedKvCache(const HeadLayout& heads, std::int64_t layers, std::shared_ptr<const CrossKvCache> cross,
                           std::vector<std::int64_t> sources)
    : heads_(heads), layers_(layers), cross_(std::move(cross)), sources_(std::move(sources)), pages_(sources_.size()) {}

PagedKvCache::PagedKvCache(const PagedKvCache& other)
    : DecoderCache(),
      heads_(other.heads_),
      layers_(other.layers_),
      cross_(other.cross_),
      sources_(other.sources_),
      pages_(other.pages_),
      positions_(other.positions_) {}

std::shared_ptr<const DecoderCache> PagedKvCache::select(const at::Tensor& rows) const {
  auto selected = std::shared_ptr<PagedKvCache>(new PagedKvCache(*this));
  selected->sources_.clear();
  selected->pages_.clear();
  const std::vector<std::int64_t> indices = toVector(rows);
  expectIndices(indices, this->rows(), "rows", "rows");
  for (const std::int64_t row : indices) {
    selected->sources_.push_back(sources_[static_cast<std::size_t>(row)]);
    selected->pages_.push_back(pages_[static_cast<std::size_t>(row)]);
  }
  return selected;
}

std::shared_ptr<Page> PagedKvCache::newPage() const {
  auto page = std::make_shared<Page>();
  page->memory = at::empty({layers_, heads_.count, heads_.blockWords()}, at::kFloat);
  return page;
}

std::shared_ptr<PagedKvCache> PagedKvCache::extend(std::int64_t count, const Executor& executor) const {
  auto extended = std::shared_ptr<PagedKvCache>(new PagedKvCache(*this));
  extended->positions_ = positions_ + count;
  const std::int64_t within = positions_ % heads_.blockWidth;
  struct Copy {
    std::shared_ptr<Page> from;
    std::shared_ptr<Page> to;
  };
  std::vector<Copy> copies;
  for (Pages& pages : extended->pages_) {
    if (within != 0 && pages.back()->written != within) {
      copies.push_back({pages.back(), newPage()});
      pages.back() = copies.back().to;
    }
    while (static_cast<std::int64_t>(pages.size()) < heads_.blocksFor(extended->positions_)) pages.push_back(newPage());
    for (auto page = pages.begin() + positions_ / heads_.blockWidth; page != pages.end(); ++page) {
      const std::int64_t first = (page - pages.begin()) * heads_.blockWidth;
      (*page)->written = std::min(heads_.blockWidth, extended->positions_ - first);
    }
  }
  executor.run(static_cast<std::int64_t>(copies.size()) * layers_, [&](std::int64_t task, std::int64_t) {
    const Copy& copy = copies[static_cast<std::size_t>(task / layers_)];
    const std::int64_t words = heads_.count * heads_.blockWords();
    const float* from = copy.from->memory.const_data_ptr<float>() + task % layers_ * words;
    std::copy(from, from + words, static_cast<float*>(copy.to->memory.data_ptr()) + task % layers_ * words);
  });
  return extended;
}

void PagedKvCache::writeBlocks(std::int64_t layer, BlockTable& table, std::int64_t first) const {
  for (std::int64_t row = 0; row < rows(); ++row) {
    const Pages& pages = pages_[static_cast<std::size_t>(row)];
    for (std::size_t block = 0; block < pages.size(); ++block) {
      auto* memory = static_cast<float*>(pages[block]->memory.data_ptr());
      for (std::int64_t head = 0; head < heads_.count; ++head)
        table.blocks(first + row, head)[block] = memory + (layer * heads_.count + head) * heads_.blockWords();
    }
  }
}

RecentCrossKvCaches::Entry RecentCrossKvCaches::find(const DecoderSource& source) const {
  Entry entry;
  if (source.rows.defined()) {
    at::Tensor inverse;
    std::tie(entry.encoderRows, inverse, std::ignore) = at::_unique2(source.rows, /*sorted=*/true,
                                                                     /*return_inverse=*/true);
    const auto* first = inverse.const_data_ptr<std::int64_t>();
    entry.sources.assign(first, first + inverse.numel());
    if (entry.encoderRows.numel() == source.encoderOutput->batch()) entry.encoderRows.reset();
  } else {
    entry.sources.resize(static_cast<std::size_t>(source.encoderOutput->batch()));
    std::iota(entry.sources.begin(), entry.sources.end(), 0);
  }
  for (const Stored& stored : stored_) {
    if (stored.encoderOutput.lock() != source.encoderOutput || !areSame(stored.encoderRows, entry.encoderRows))
      continue;
    entry.cache = stored.cache.lock();
    if (entry.cache != nullptr) break;
  }
  return entry;
}

void RecentCrossKvCaches::store(const DecoderSource& source, const Entry& entry) {
  std::erase_if(stored_, [](const Stored& stored) { return stored.cache.expired() || stored.encoderOutput.expired(); });
  stored_.push_back({source.encoderOutput, entry.encoderRows, entry.cache});
}

}  // namespace torch_t5
