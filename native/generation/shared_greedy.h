// Greedy search whose steps the engine chooses and shares with other searches. It computes what SampleSearch computes,
// but keeps the sequences on the host, and leaves the choice of each id to the engine.
#pragma once

#include <memory>

#include "engine/shared_engine.h"
#include "generation/search.h"

namespace torch_t5 {

/// Whether the engine shares the steps of a request: greedy search after one id, without anything that reads scores.
bool sharesSteps(const SharedEngine& engine, const GenerateRequest& request);

/// For such a request. Throws what the engine throws.
Task<GenerateResult> runSharedGreedy(SharedEngine& engine, std::shared_ptr<const GenerateRequest> request);

}  // namespace torch_t5
