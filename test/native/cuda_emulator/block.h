// Runs the threads of a CUDA block on the CPU, as fibers of the calling thread: one runs until it waits for the others,
// at a barrier or for the exchange of values within its warp.
#pragma once

#include <cstdint>

namespace torch_t5::emulator {

struct Grid {
  unsigned blocksX = 1;
  unsigned blocksY = 1;
  unsigned threads = 1;  // per block: a multiple of 32
};

/// Runs a kernel for all blocks, one after the other. `kernel(arguments)` is one thread. Throws std::runtime_error if
/// the threads of a block wait for one another forever: some have ended, or do not reach the same barrier.
void run(const Grid& grid, void (*kernel)(void* const* arguments), void* const* arguments);

/// For the running thread: waits until all threads of the block are at a barrier.
void waitAtBarrier();

/// For the running thread: hands `value` to its warp, waits for all lanes to do so, and returns that of `lane`.
std::uint64_t exchange(std::uint64_t value, unsigned lane);

}  // namespace torch_t5::emulator
