// Programmatic dependent launch: a kernel starts while the previous one still runs, and loads weights meanwhile.
//
// Before it waits, a kernel reads only what no kernel of a step writes: weights, norms, the source's keys, values and
// mask, and what the host writes before the first step (the number of rows, and of a row what comes
// before `position`). These last are read as volatile, so that they are read before the wait. All threads of
// all blocks wait, also those that have nothing to do: a kernel is complete only if the previous ones are. GPUs before
// Hopper run one kernel after the other.
#pragma once

namespace torch_t5 {
namespace {

/// Returns when the previous kernel has ended and what it wrote can be read.
__device__ __forceinline__ void waitForPrevious() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Allows the next kernel to start as soon as there is room for its blocks.
__device__ __forceinline__ void letNextStart() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace
}  // namespace torch_t5
