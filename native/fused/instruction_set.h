// The choice of kernels for the processor.
#pragma once

#include <vector>

#include "fused/kernels/kernels.h"

namespace torch_t5 {

/// The kernels of the instruction sets that this processor has, the best first. The environment variable
/// ATEN_CPU_CAPABILITY ("avx512", "avx2", "default") limits them, as it limits PyTorch. On arm64, "default" is NEON
/// without extensions.
const std::vector<const kernels::Kernels*>& usableKernels();

/// The first of them.
const kernels::Kernels& bestKernels();

}  // namespace torch_t5
