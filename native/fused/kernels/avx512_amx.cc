// AMX, and AVX-512 with BF16 and VNNI: compiled with their flags if the compiler supports them.
#include "fused/kernels/kernels.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AMX_INT8__)
#define TORCH_T5_AMX
#include "fused/kernels/amx_attention.h"
#include "fused/kernels/amx_dot_products.h"
#include "fused/kernels/amx_gemm.h"
#include "fused/kernels/kernels_template.h"
#include "fused/kernels/simd_avx512.h"
#endif

namespace torch_t5::kernels {

const Kernels* amxKernels() {
#ifdef TORCH_T5_AMX
  static constexpr Kernels kKernels = [] {
    Kernels made = makeKernels<Avx512Bf16>("AMX");
    made.maxRows = kGroupRows;
    made.hasTiles = true;
    made.gemm = gemmInTiles<Avx512Bf16>;
    made.attend = attendInTiles<Avx512Bf16>;
    made.repeatDotProducts = repeatDotProductsInTiles<Avx512Bf16>;
    return made;
  }();
  return &kKernels;
#else
  return nullptr;
#endif
}

}  // namespace torch_t5::kernels
