// One forward request on an engine, from ids to what was asked for.
#pragma once

#include "engine/engine.h"
#include "engine/reductions.h"
#include "types.h"

namespace torch_t5 {

/// The request must have passed `check`. Throws what the engine and `reduce` throw.
ForwardResult runForward(Engine& engine, const ForwardRequest& request);

}  // namespace torch_t5
