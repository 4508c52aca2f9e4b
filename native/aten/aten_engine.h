// The fused engine's arithmetic over plain ATen operators: for CUDA, and what the tests compare the kernels with.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "core/requests.h"
#include "engine/engine.h"
#include "weights/weights.h"

namespace torch_t5 {

/// `precision`: kFloat32 or kBfloat16. In bfloat16 matrices, and what they are multiplied with, keys and values are
/// kept; the residual stream, norms, scores and logits are float32. Call it, and use the engine, under inference mode.
/// Throws what the device throws.
std::unique_ptr<Engine> makeAtenEngine(Weights weights, const Architecture& architecture, Precision precision,
                                       const at::Device& device);

}  // namespace torch_t5
