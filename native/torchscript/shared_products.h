// Products with a large matrix, shared out among all threads.
//
// MKL computes `linear` of one row, which is most of a decoding step, on one thread, and of up to a hundred rows hardly
// better. Each number of the result is a sum of its own, so the matrix's rows can be shared out among threads, each
// calling the same MKL, without changing a bit. Whether that holds for MKL's kernels on the machine at hand isn't
// believed but compared: for every kind of product the first one is computed both ways. Where a bit differs, that kind
// is left to MKL.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace torch_t5 {

/// Replaces every `aten::linear` of the graph's top level that has no bias. For the CPU.
void shareProductsAmongThreads(torch::jit::Graph& graph);

}  // namespace torch_t5
