// Large pieces of memory that are cheap to touch for the first time, and go back to the system when they are freed.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

namespace torch_t5 {

/// Asks the system to back the whole huge pages of a range with such. A hint: where there are none nothing changes.
void preferHugePages(void* begin, std::size_t bytes);

/// An uninitialized tensor on the CPU. Where it is large it has a mapping of its own: a heap would keep the memory
/// after it was freed. Throws what libtorch throws where there is no memory.
at::Tensor emptyInHugePages(at::IntArrayRef shape, at::ScalarType type);

/// Gives what is free on the heap back to the system: after much was freed that won't be needed again.
void returnFreedMemory();

}  // namespace torch_t5
