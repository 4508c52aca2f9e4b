// NEON with BF16 and I8MM: compiled with their flags if the compiler supports them.
#include "fused/kernels/kernels.h"

#ifdef __aarch64__
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_neon.h"
#endif

namespace torch_t5::kernels {

const Kernels* neonMatrixKernels() {
#ifdef TORCH_T5_NEON_MATRIX
  static constexpr Kernels kKernels = makeKernels<NeonMatrix>("NEON with BF16 and I8MM");
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
