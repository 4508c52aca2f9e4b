// A trace remembers the device that it was made on: `arange(..., device="cpu")` and the like. Those constants are
// rewritten when the archive is loaded, so that one archive serves every device.
#pragma once

#include <c10/core/Device.h>
#include <torch/csrc/jit/ir/ir.h>

namespace torch_t5 {

/// Rewrites every device constant of the graph, nested blocks included, to `device`, and moves its tensor constants
/// there. Returns how many constants it changed.
int remapDeviceConstants(torch::jit::Graph& graph, const c10::Device& device);

}  // namespace torch_t5
