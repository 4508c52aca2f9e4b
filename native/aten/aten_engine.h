// The ATen engine: T5 with libtorch's operators. It runs on CUDA, and tests compare the fused engine with it.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "core/requests.h"
#include "engine/cuda_runtime.h"
#include "engine/engine.h"
#include "weights/weights.h"

namespace torch_t5 {

/// `precision`: kFloat32 or kBfloat16. With kBfloat16, matrices, their inputs, keys and values are bfloat16; hidden
/// states, norms, scores and logits are float32. `runtime`: runs decoder steps and short encoder passes as graphs; it
/// outlives the engine. Null: operators are launched one by one. `mergesCalls`: passes may run several calls, whose
/// bits then depend on each other's rows. Call it in inference mode. Throws what the device throws.
std::unique_ptr<Engine> makeAtenEngine(Weights weights, const Architecture& architecture, Precision precision,
                                       const at::Device& device, CudaRuntime* runtime = nullptr,
                                       bool mergesCalls = false);

}  // namespace torch_t5
