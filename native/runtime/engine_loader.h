// From load options to an engine.
#pragma once

#include <memory>

#include "core/requests.h"
#include "engine/engine.h"

namespace torch_t5 {

struct LoadedEngine {
  std::unique_ptr<Engine> engine;
  bool hasOwnThreads = false;  // instead of libtorch's
};

/// Loads the model for the device and the precision. Call it, and use the engine, under inference mode. Throws
/// ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT, ERR_MODEL_UNTRUSTED, ERR_DEVICE_UNAVAILABLE, and ERR_INVALID_ARGUMENT for a
/// precision that the device hasn't.
LoadedEngine loadEngine(const LoadOptions& options);

}  // namespace torch_t5
