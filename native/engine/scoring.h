// Log-probabilities of given targets: the encoder once, the targets in batches, and only what was asked for kept.
#pragma once

#include "core/requests.h"
#include "engine/encoding.h"

namespace torch_t5 {

/// float32 on the CPU.
struct ScoreResult {
  at::Tensor scores;    // [targets]: sums, or means
  at::Tensor logProbs;  // [ids of all targets]
};

/// `source`: of one row, that all targets share, or of as many rows as there are targets. The request must have passed
/// `check`. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE.
ScoreResult runScore(Engine& engine, const EncoderSource& source, const ScoreRequest& request);

}  // namespace torch_t5
