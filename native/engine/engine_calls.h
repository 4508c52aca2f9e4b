// Calls of the engine as data, so that a scheduler can decide when each of them runs, and which ones run together.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <variant>

#include "engine/engine.h"

namespace torch_t5 {

/// `Engine::encode`.
struct EncodeCall {
  at::Tensor inputIds;       // [B, S]
  at::Tensor attentionMask;  // [B, S]
  at::Tensor output;         // [B, S, D]
};

/// `Engine::forward`.
struct ForwardCall {
  at::Tensor inputIds;         // [B, S]
  at::Tensor attentionMask;    // [B, S]
  at::Tensor decoderInputIds;  // [B, T]
  LogitsSelection selection;
  ForwardOutput output;
};

/// `Engine::prefill`, or with a cache `Engine::step`.
struct DecodeCall {
  at::Tensor decoderInputIds;  // [R, T]
  const DecoderSource& source;
  const std::shared_ptr<const DecoderCache>& cache;  // null: prefill
  LogitsSelection selection;
  bool choosesTokens = false;  // returns `tokens` instead of logits; then one position must be selected, and all tokens
  DecoderOutput output;
  at::Tensor tokens;  // int64 [R]: the id of the highest logit
};

/// `Engine::decodeGreedily`.
struct GreedyCall {
  const GreedyRequest& request;
  std::optional<at::Tensor> output;
};

/// A greedy search that shares its steps, over several passes.
struct SharedGreedyCall {
  const GreedySearch& search;
  std::shared_ptr<GreedyRun> run;  // null before its first pass
  std::int64_t lastSteps = 0;      // of the last pass
  at::Tensor output;               // int64 [R, n] on the CPU: the ids that it adds; undefined before the last pass
};

/// `Engine::classify`.
struct ClassifyCall {
  at::Tensor inputIds;       // [B, S]
  at::Tensor attentionMask;  // [B, S]
  Sentence sentence;
  at::Tensor output;
};

/// One call, and what it threw.
struct EngineCall {
  std::variant<EncodeCall, ForwardCall, DecodeCall, GreedyCall, SharedGreedyCall, ClassifyCall> call;
  std::exception_ptr error;

  /// Whether it decodes one more position of rows that have a cache, or several in a shared search.
  bool isStep() const;

  /// Whether it has a result or an error. A shared greedy search may need more passes.
  bool hasEnded() const;

  /// The steps of its last pass.
  std::int64_t steps() const;

  /// The positions that it computes: those of the encoder and those of the decoder, of all rows.
  std::int64_t positions() const;
};

/// Runs a call by itself. Stores what the engine throws.
void run(Engine& engine, EngineCall& call) noexcept;

}  // namespace torch_t5
