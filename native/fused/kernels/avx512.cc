// AVX-512: compiled with its flags if the compiler supports them.
#include "fused/kernels/kernels.h"

#ifdef __AVX512F__
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_avx512.h"
#endif

namespace torch_t5::kernels {

const Kernels* avx512Kernels() {
#ifdef __AVX512F__
  static constexpr Kernels kKernels = makeKernels<Avx512>("AVX512");
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
