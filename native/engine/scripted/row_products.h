// Products of one row with a large matrix, on all threads.
//
// MKL computes `linear` of a single row, which is most of a decoding step, on one thread, at half of what the memory
// gives. Each number of the result is a sum of its own, so the matrix's rows can be shared out among threads without
// changing a bit. Whether that holds for MKL's kernels on the machine at hand isn't believed but compared, for every
// matrix, when it is first multiplied; where a bit differs the product stays on one thread.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace torch_t5 {

/// Replaces every `aten::linear` of the graph's top level that has no bias.
void parallelizeRowProducts(torch::jit::Graph& graph);

}  // namespace torch_t5
