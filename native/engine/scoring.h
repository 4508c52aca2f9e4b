// Scoring: log-probabilities of given targets. The encoder runs once, the decoder on batches of targets.
#pragma once

#include <memory>

#include "core/requests.h"
#include "engine/encoding.h"

namespace torch_t5 {

/// float32 on the CPU.
struct ScoreResult {
  at::Tensor scores;    // [targets], sums or means
  at::Tensor logProbs;  // [number of ids of all targets]
};

/// `source`: one row that all targets share, or one row per target. The request must have passed `check`. Throws
/// ERR_INVALID_ARGUMENT for another number of rows, and what the engine throws.
Task<ScoreResult> runScore(SharedEngine& engine, std::shared_ptr<const EncoderSource> source,
                           std::shared_ptr<const ScoreRequest> request);

}  // namespace torch_t5
