// Opens the library torch_t5_cuda, which implements `CudaRuntime`.
#pragma once

#include <string>

namespace torch_t5 {

/// Opens the library that is stored beside the addon, once per process, and sets its runtime. Requires that
/// libtorch_cuda is open. Throws nothing: without the library, models run without graphs and pinned memory.
void openCudaLibrary();

/// "loaded"; "available" if the library is there but no model is on a CUDA device yet; otherwise the reason why it is
/// not used.
std::string cudaLibraryState();

}  // namespace torch_t5
