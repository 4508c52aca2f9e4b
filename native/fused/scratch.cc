#include "fused/scratch.h"

#include <algorithm>

#include "core/platform/huge_pages.h"

namespace torch_t5 {

std::byte* Scratch::takeBytes(std::size_t bytes) {
  constexpr std::size_t kLine = 64;
  bytes = (bytes + kLine - 1) / kLine * kLine;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].nbytes()) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t size = std::max({bytes, kMinBlockBytes, nextBlockSize_});
    blocks_.push_back(emptyInHugePages({static_cast<std::int64_t>(size)}, at::kByte));
  }
  auto* taken = static_cast<std::byte*>(blocks_[block_].data_ptr()) + used_;
  used_ += bytes;
  return taken;
}

void Scratch::reset() {
  if (blocks_.size() > 1) {
    nextBlockSize_ = 0;
    for (const at::Tensor& block : blocks_) nextBlockSize_ += block.nbytes();
    blocks_.clear();
  } else if (!blocks_.empty() && blocks_.front().nbytes() > kMaxKeptBytes) {
    nextBlockSize_ = 0;
    blocks_.clear();
  }
  block_ = 0;
  used_ = 0;
}

}  // namespace torch_t5
