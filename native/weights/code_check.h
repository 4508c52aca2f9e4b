// Checks the code of an archive before any of it runs.
#pragma once

#include <torch/csrc/jit/api/compilation_unit.h>

namespace torch_t5 {

/// Which operators the code of an archive may contain.
enum class CodePolicy {
  kModel,  // those that the exporter writes
  kHead,   // those of models, mathematics on tensors, and control flow
  kAny,    // all: the user wrote the code
};

/// Reads every graph of every function and method that was compiled, and of the functions that they call. Runs nothing.
/// Throws ERR_MODEL_UNTRUSTED, with the operator's name, for an operator that the policy doesn't allow; for a loop
/// without a limit; for a call whose target isn't known before it runs; and for recursion.
void checkCode(const torch::jit::CompilationUnit& functions, CodePolicy policy);

}  // namespace torch_t5
