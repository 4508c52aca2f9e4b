// The kernels, over a `Simd` that names the instructions. Included by one file for each instruction set, which is
// compiled with that set's flags: so nothing here may be an inline function that other files share, or theirs could be
// replaced by one with instructions that the processor lacks.
#pragma once

#include "fused/kernels/attention.h"
#include "fused/kernels/kernels.h"
#include "fused/kernels/gemm.h"
#include "fused/kernels/row_kernels.h"

namespace torch_t5::kernels {
namespace {

template <class Simd>
constexpr Kernels makeKernels(const char* name) {
  return {name,         kPanelWidth<Simd>, Simd::kMostRows, false,          multiply<Simd>,
          attend<Simd>, convert<Simd>,     transpose<Simd>, normalize<Simd>};
}

}  // namespace
}  // namespace torch_t5::kernels
