// The kernels, as templates over a `Simd` struct that wraps one instruction set's intrinsics.
//
// One file for each instruction set includes this header, and is compiled with that set's flags. Nothing here may have
// external linkage: the linker could then replace a function by a copy with instructions that the processor lacks.
#pragma once

#include "fused/kernels/attention.h"
#include "fused/kernels/dot_products.h"
#include "fused/kernels/gemm.h"
#include "fused/kernels/kernels.h"
#include "fused/kernels/row_kernels.h"

namespace torch_t5::kernels {
namespace {

template <class Simd>
constexpr Kernels makeKernels(const char* name) {
  return {name,
          kPanelWidth<Simd>,
          Simd::kMaxRows,
          /*hasTiles=*/false,
          kPairsWords<Simd>,
          gemm<Simd>,
          attend<Simd>,
          convert<Simd>,
          transpose<Simd>,
          normalize<Simd>,
          repeatDotProducts<Simd>};
}

}  // namespace
}  // namespace torch_t5::kernels
