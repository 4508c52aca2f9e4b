// Puts weights where they lay in Python.
//
// MKL's matrix-vector product begins with the elements up to the next 64-byte boundary, so its sums are grouped, and
// its last bits rounded, by the address of the matrix. `from_pretrained` maps weights from a safetensors file at any
// offset; a model whose weights were allocated instead gives other bits for one row. The exporter notes where each
// weight lay.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <string>
#include <unordered_map>

namespace torch_t5 {

class WeightPlacement {
 public:
  /// The archive's record with the notes: a line `<address modulo 64> <name of the weight>` for each that isn't 0.
  static constexpr const char* kRecord = "extra/weight_placement.txt";

  explicit WeightPlacement(const std::string& notes);

  /// Where the most weights lay: a file's weights lie alike, as far as their sizes are multiples of 64 bytes.
  std::uintptr_t usual() const;

  /// Moves those weights of a module on the CPU that lie elsewhere. Weights that share memory go on sharing it.
  /// Throws ERR_MODEL_CORRUPT for notes that don't fit the module.
  void apply(const torch::jit::Module& module) const;

 private:
  std::unordered_map<std::string, std::uintptr_t> places_;
};

}  // namespace torch_t5
