// Reads a TorchScript archive and makes sure that it is a T5 export before anything of it runs.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>

namespace torch_t5 {

/// The module on the CPU, its weights where they lay in Python.
/// Throws ERR_MODEL_NOT_FOUND; ERR_MODEL_CORRUPT for what is no archive or lacks one of the four methods;
/// ERR_MODEL_UNTRUSTED for code that would run while it is loaded.
torch::jit::Module readArchive(const std::string& path);

/// Any TorchScript module, on the CPU; `name` stands for it in messages. Throws the same.
torch::jit::Module readTorchScript(const std::string& path, const std::string& name);

}  // namespace torch_t5
