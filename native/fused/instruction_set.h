// The kernels for the processor at hand.
#pragma once

#include "fused/kernels/kernels.h"

namespace torch_t5 {

/// The best that this processor has the instructions for. PyTorch's environment variable ATEN_CPU_CAPABILITY ("avx512",
/// "avx2", "default") limits them, as it limits PyTorch's own.
const kernels::Kernels& processorKernels();

}  // namespace torch_t5
