// AVX2 with FMA: compiled with their flags if the compiler supports them.
#include "fused/kernels/kernels.h"

#if defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))
#define TORCH_T5_AVX2
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_avx2.h"
#endif

namespace torch_t5::kernels {

const Kernels* avx2Kernels() {
#ifdef TORCH_T5_AVX2
  static constexpr Kernels kKernels = makeKernels<Avx2>("AVX2");
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
