// Converts the exceptions of libtorch, and all others, into errors with a code.
#pragma once

#include "core/errors.h"

namespace torch_t5 {

/// Describes the exception that is being handled; call it in a catch block. An `Error` is returned unchanged. Running
/// out of memory, of the process or of the GPU, becomes ERR_OUT_OF_MEMORY; an error after which CUDA refuses every call
/// of this process ERR_DEVICE_UNAVAILABLE; anything else ERR_INTERNAL with the first sentence of its message, without
/// C++ and TorchScript backtraces.
Error describeCurrentException() noexcept;

}  // namespace torch_t5
