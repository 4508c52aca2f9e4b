#include "engine/fused/scratch.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/huge_pages.h"

namespace torch_t5 {

std::byte* Scratch::takeBytes(std::size_t bytes) {
  constexpr std::size_t kLine = 64;
  bytes = (bytes + kLine - 1) / kLine * kLine;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].nbytes()) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t size = std::max({bytes, kLeastBlock, blocks_.empty() ? 0 : 2 * blocks_.back().nbytes()});
    blocks_.push_back(at::empty({static_cast<std::int64_t>(size)}, at::kByte));
    preferHugePages(blocks_.back().data_ptr(), size);
  }
  auto* taken = static_cast<std::byte*>(blocks_[block_].data_ptr()) + used_;
  used_ += bytes;
  return taken;
}

void Scratch::trim() {
  std::size_t kept = 0;
  std::erase_if(blocks_, [&](const at::Tensor& block) {
    if (kept + block.nbytes() > kKeptBytes) return true;
    kept += block.nbytes();
    return false;
  });
  block_ = 0;
  used_ = 0;
}

}  // namespace torch_t5
