// AVX2 with FMA and AVX-VNNI: compiled with their flags if the compiler supports them.
#include "fused/kernels/kernels.h"

#if defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_avx2.h"
#endif

namespace torch_t5::kernels {

const Kernels* avx2VnniKernels() {
#ifdef TORCH_T5_AVX2_VNNI
  static constexpr Kernels kKernels = makeKernels<Avx2Vnni>("AVX2 with VNNI");
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
