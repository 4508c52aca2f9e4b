// Puts weights where they lay in Python.
//
// MKL's matrix-vector product begins with the elements up to the next 64-byte boundary, so its sums are grouped, and
// its last bits rounded, by the address of the matrix. `from_pretrained` maps weights from a safetensors file at any
// offset; a model whose weights were allocated instead gives other bits for one row. The exporter notes where each
// weight lay.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>

namespace torch_t5 {

/// The archive's extra file with the notes: a line `<address modulo 64> <name of the weight>` for each that isn't 0.
inline constexpr const char* kWeightPlacementFile = "weight_placement.txt";

/// Moves the named weights of a module on the CPU to such addresses. Weights that share memory go on sharing it.
/// Throws ERR_MODEL_CORRUPT for notes that don't fit the module.
void placeWeights(const torch::jit::Module& module, const std::string& notes);

}  // namespace torch_t5
