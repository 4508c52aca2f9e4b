// NEON with dot products of int8: compiled with its flag if the compiler supports it.
#include "fused/kernels/kernels.h"

#ifdef __aarch64__
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_neon.h"
#endif

namespace torch_t5::kernels {

const Kernels* neonDotProductKernels() {
#ifdef TORCH_T5_NEON_DOT_PRODUCT
  static constexpr Kernels kKernels = makeKernels<NeonDotProduct>("NEON with dot products");
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
