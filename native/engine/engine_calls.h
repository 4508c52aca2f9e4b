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

/// `Engine::classify`.
struct ClassifyCall {
  at::Tensor inputIds;       // [B, S]
  at::Tensor attentionMask;  // [B, S]
  Sentence sentence;
  at::Tensor output;
};

/// One call, and what it threw.
struct EngineCall {
  std::variant<EncodeCall, ForwardCall, DecodeCall, GreedyCall, ClassifyCall> call;
  std::exception_ptr error;

  /// Whether it decodes one more position of rows that have a cache.
  bool isStep() const;

  /// The positions that it computes: those of the encoder and those of the decoder, of all rows.
  std::int64_t positions() const;
};

/// Runs a call by itself. Stores what the engine throws.
void run(Engine& engine, EngineCall& call) noexcept;

}  // namespace torch_t5
