// Linear layers with large weights, computed on all threads.
//
// MKL computes `linear` for one input row, which takes most of a decoding step, on one thread, and for up to a hundred
// rows hardly faster. Each number of the result is a separate sum, so threads can each compute a block of the weight's
// rows with the same MKL without changing a bit. Whether that is true of MKL's kernels on this machine is verified: for
// each kind of product, the first ones are computed both ways. If one bit differs, MKL computes that kind alone.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace torch_t5 {

/// Replaces every `aten::linear` without a bias in the graph's top level. For graphs on the CPU.
void parallelizeLinears(torch::jit::Graph& graph);

}  // namespace torch_t5
