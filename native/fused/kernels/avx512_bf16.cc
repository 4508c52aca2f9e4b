// Compiled with the flags of AVX-512 with BF16 and VNNI where the compiler has them.
#include "fused/kernels/kernels.h"

// Visual Studio defines no macro for these two; it has the instructions wherever it has AVX-512.
#if (defined(__AVX512BF16__) && defined(__AVX512VNNI__)) || (defined(_MSC_VER) && defined(__AVX512F__))
#define TORCH_T5_AVX512_BF16
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_avx512_bf16.h"
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
