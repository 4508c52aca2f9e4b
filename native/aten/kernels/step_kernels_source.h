// The kernels of a decoder step, as the text that is compiled at run time.
#pragma once

#include <string>

namespace torch_t5 {

/// The source of native/aten/kernels: CUDA C++ without includes. step_kernels.cuh states the macros that it expects.
std::string stepKernelsSource();

}  // namespace torch_t5
