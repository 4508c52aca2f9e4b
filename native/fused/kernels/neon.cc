// NEON, which every arm64 processor has.
#include "fused/kernels/kernels.h"

#ifdef __aarch64__
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_neon.h"
#endif

namespace torch_t5::kernels {

const Kernels* neonKernels() {
#ifdef TORCH_T5_NEON
  static constexpr Kernels kKernels = makeKernels<Neon>("NEON");
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
