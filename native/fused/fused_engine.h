// The fused engine for the CPU: packed weights, its own kernels, no padding.
#pragma once

#include <memory>

#include "core/requests.h"
#include "engine/engine.h"
#include "weights/weights.h"

namespace torch_t5 {

/// `precision`: kFloat32, kBfloat16 or kInt8. `threads`: the number of threads that compute, the caller's included.
/// Consumes the weights. Call it in inference mode. Throws std::bad_alloc or libtorch's error when memory runs out.
std::unique_ptr<Engine> makeFusedEngine(Weights weights, const Architecture& architecture, Precision precision,
                                        int threads);

}  // namespace torch_t5
