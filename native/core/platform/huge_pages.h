// Large allocations in huge pages: fewer page faults on first use, and freed memory returns to the system.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

namespace torch_t5 {

/// Asks the system to use huge pages for a range. A hint: without huge pages nothing changes.
void preferHugePages(void* begin, std::size_t bytes);

#ifdef __linux__
/// A mapping that begins at a huge page's boundary, in huge pages if the system has them. `bytes`: a multiple of the
/// system's page size. Throws std::bad_alloc.
void* mapHugePages(std::size_t bytes);

/// `bytes`: as for `mapHugePages`.
void unmapHugePages(void* begin, std::size_t bytes) noexcept;
#endif

/// An uninitialized tensor on the CPU. A large one (1 MiB or more, on Linux) gets its own mapping in huge pages,
/// because the heap would keep its memory after it is freed. Throws std::bad_alloc or libtorch's error when memory runs
/// out.
at::Tensor emptyInHugePages(at::IntArrayRef shape, at::ScalarType type);

/// Returns the heap's free memory to the system. For use after a large amount was freed for good.
void returnFreedMemory();

}  // namespace torch_t5
