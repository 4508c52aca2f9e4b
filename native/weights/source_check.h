// Checks the text of an archive's code before libtorch compiles it.
#pragma once

#include <torch/csrc/jit/frontend/source_range.h>

#include <memory>
#include <string>

#include "weights/allowed_operators.h"

namespace torch_t5 {

/// libtorch's parser and compiler are recursive, and while they compile they run operators whose arguments are
/// constants and numbers or strings. So this refuses code that would end their stack, and the names of those operators
/// that do more than compute. `checkCode` checks all others, once the code is compiled.
///
/// Reads the tokens with libtorch's own lexer. `module`: the code's name in Python.
/// Throws ERR_MODEL_UNTRUSTED with the operator's name, unless the policy is kAny; std::runtime_error, whose text is
/// the reason, for expressions, blocks, lines and definitions beyond what torch.jit.save writes.
void checkSource(const std::shared_ptr<torch::jit::Source>& source, const std::string& module, CodePolicy policy);

}  // namespace torch_t5
