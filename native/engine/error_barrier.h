// The one place where a C++ exception becomes a code and a sentence.
#pragma once

#include "core/errors.h"

namespace torch_t5 {

/// Describes the exception being handled: out of memory by its code, anything else that isn't an `Error` as
/// ERR_INTERNAL with libtorch's own sentence, its C++ and TorchScript backtraces cut off. Call it in a catch block.
Error describeCurrentException() noexcept;

}  // namespace torch_t5
