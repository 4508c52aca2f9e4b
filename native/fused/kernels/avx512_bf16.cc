// AVX-512 with BF16 and VNNI: compiled with their flags if the compiler supports them.
#include "fused/kernels/kernels.h"

#ifdef __AVX512F__
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_avx512.h"
#endif

namespace torch_t5::kernels {

const Kernels* avx512Bf16Kernels() {
#ifdef TORCH_T5_AVX512_BF16
  static constexpr Kernels kKernels = makeKernels<Avx512Bf16>("AVX512 with BF16");
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
