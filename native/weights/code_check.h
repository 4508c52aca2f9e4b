// Checks the code of an archive before any of it runs.
#pragma once

#include <torch/csrc/jit/api/compilation_unit.h>

#include "weights/allowed_operators.h"

namespace torch_t5 {

/// Reads every graph of every function and method that was compiled, and of the functions that they call. Runs nothing.
/// Throws ERR_MODEL_UNTRUSTED, with the operator's name, for an operator that the policy doesn't allow; for a loop
/// without a limit; for a call whose target isn't known before it runs; and for recursion.
void checkCode(const torch::jit::CompilationUnit& functions, CodePolicy policy);

}  // namespace torch_t5
