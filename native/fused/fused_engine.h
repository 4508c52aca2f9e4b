// The fused engine for the CPU: packed weights, its own kernels, no padding.
#pragma once

#include <memory>

#include "core/requests.h"
#include "engine/engine.h"
#include "weights/weights.h"

namespace torch_t5 {

/// An engine that computes on `threads` threads. Consumes the weights.
std::unique_ptr<Engine> makeFusedEngine(Weights weights, const Architecture& architecture, Precision precision,
                                        int threads);

}  // namespace torch_t5
