#include "fused/block_sizes.h"

#include <algorithm>

namespace torch_t5 {

BlockSizes chooseBlockSizes(const CacheSizes& caches) {
  constexpr std::int64_t kWordBytes = 4;
  constexpr std::int64_t kUnknownLevel2 = std::int64_t{1} << 20;
  const std::int64_t level2 = caches.level2 > 0 ? caches.level2 : kUnknownLevel2;
  BlockSizes sizes;
  sizes.chunkWords = std::clamp(level2 * 3 / 8 / kWordBytes, std::int64_t{24} << 10, std::int64_t{192} << 10);
  return sizes;
}

const BlockSizes& blockSizes() {
  static const BlockSizes sizes = chooseBlockSizes(cacheSizes());
  return sizes;
}

}  // namespace torch_t5
