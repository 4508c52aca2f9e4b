// One forward request on an engine, from ids to what was asked for.
#pragma once

#include "core/requests.h"
#include "engine/engine.h"
#include "engine/head.h"
#include "engine/reductions.h"

namespace torch_t5 {

/// The request must have passed `check`. With a head its output takes the place of the logits.
/// Throws what the engine, `toLogitsSelection`, `reduce` and the head throw.
ForwardResult runForward(Engine& engine, const ForwardRequest& request, const Head* head = nullptr);

}  // namespace torch_t5
