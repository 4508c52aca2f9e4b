// The choice of kernels for the processor.
#pragma once

#include "fused/kernels/kernels.h"

namespace torch_t5 {

/// The kernels of the best instruction set that this processor has. The environment variable ATEN_CPU_CAPABILITY
/// ("avx512", "avx2", "default") limits it, as it limits PyTorch. On arm64, "default" is NEON without extensions.
const kernels::Kernels& bestKernels();

}  // namespace torch_t5
