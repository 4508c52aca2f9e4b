// The size of the machine's memory.
#pragma once

#include <cstddef>

namespace torch_t5 {

/// Bytes, or 0 if it is unknown.
std::size_t physicalMemory() noexcept;

}  // namespace torch_t5
