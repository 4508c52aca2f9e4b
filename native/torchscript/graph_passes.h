// Passes over the graph of a traced method.
#pragma once

#include <c10/core/Device.h>
#include <torch/csrc/jit/ir/ir.h>

namespace torch_t5 {

/// Changes every device constant of the graph and of its nested blocks to `device`, and moves its tensor constants
/// there. A trace contains the device that it was made on, as in `arange(..., device="cpu")`; with this pass one
/// archive runs on every device. Returns the number of constants that were changed.
int remapDeviceConstants(torch::jit::Graph& graph, const c10::Device& device);

/// Inserts a check before every operator of the graph's top level that can take long: matrix products, and what
/// attention computes for each pair of positions. A check throws ERR_ABORTED if cancellation was requested in this
/// thread's `CancellationScope`.
void insertCancellationChecks(torch::jit::Graph& graph);

}  // namespace torch_t5
