// The sizes of the processor's caches.
#pragma once

#include <cstdint>

namespace torch_t5 {

/// Bytes; 0 where the size is unknown.
struct CacheSizes {
  std::int64_t level1 = 0;  // of data, of one core
  std::int64_t level2 = 0;  // of one core, or of the cores that share it
  std::int64_t level3 = 0;  // of all cores that share it

  bool operator==(const CacheSizes&) const = default;
};

/// The caches of the first core, as the system reports them.
CacheSizes cacheSizes() noexcept;

}  // namespace torch_t5
