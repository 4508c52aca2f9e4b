// The operators that the code of an archive may contain. None of them reads or writes files, sockets, processes,
// environment variables or memory that no tensor owns.
#pragma once

#include <ATen/core/interned_strings.h>

#include <string>

#include "core/errors.h"

namespace torch_t5 {

/// Which operators the code of an archive may contain.
enum class CodePolicy {
  kModel,  // those that the exporter writes
  kHead,   // those of models, mathematics on tensors, and control flow
  kAny,    // all: the user wrote the code
};

bool isAllowed(c10::Symbol kind, CodePolicy policy);

/// ERR_MODEL_UNTRUSTED. `received`: the operator's name; `where`: the function that contains it, or its module.
Error untrusted(const std::string& received, const std::string& where, CodePolicy policy);

}  // namespace torch_t5
