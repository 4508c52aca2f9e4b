// The operators that the code of an archive may contain. None of them reads or writes files, sockets, processes,
// environment variables or memory that no tensor owns.
#pragma once

#include <ATen/core/interned_strings.h>

namespace torch_t5 {

/// Whether the exporter writes this operator into archives of T5 models.
bool isModelOperator(c10::Symbol kind);

/// Whether a head may use this operator: an operator of models, mathematics on tensors, or control flow.
bool isHeadOperator(c10::Symbol kind);

}  // namespace torch_t5
