// Lets a forward pass of many operators end at the next one of them.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace torch_t5 {

/// Puts a check in front of every matrix product of the graph's top level: those take nearly all of the time. A check
/// throws ERR_ABORTED when this thread's `CancellationScope` was asked to end.
void insertCancellationPoints(torch::jit::Graph& graph);

}  // namespace torch_t5
