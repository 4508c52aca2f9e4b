// The exact engine: Hugging Face's own modules, traced, run by libtorch's interpreter.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"

namespace torch_t5 {

/// Loads the archive to `device`. Call it, and use the engine, under inference mode.
/// Throws ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT and what the device throws.
std::unique_ptr<Engine> loadTorchScriptEngine(const std::string& path, const at::Device& device);

}  // namespace torch_t5
