// Reads a TorchScript archive and makes sure that it is a T5 export before anything of it runs.
#pragma once

#include <c10/core/Device.h>
#include <torch/csrc/jit/api/module.h>

#include <string>

namespace torch_t5 {

/// Throws ERR_MODEL_NOT_FOUND, or ERR_MODEL_CORRUPT for what is no archive or lacks one of the four methods.
torch::jit::Module readArchive(const std::string& path, const c10::Device& device);

}  // namespace torch_t5
