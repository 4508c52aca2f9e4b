// What changes the scores of the next token before it is chosen. Each function makes one of Hugging Face's processors
// (transformers.generation.logits_process), operator for operator, so that their last bits agree as well.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/encoding.h"
#include "generation/options.h"

namespace torch_t5 {

/// Takes the ids so far [rows, length] (int64) and scores [rows, V] (float32), and returns scores. It writes to
/// neither.
using LogitsProcessor = std::function<at::Tensor(const at::Tensor& sequences, const at::Tensor& scores)>;

/// Those that a user's own processor comes behind, in Hugging Face's order. `encoderOutput`: one row a
/// source, however many are decoded for it.
std::vector<LogitsProcessor> makeProcessors(const GenerationOptions& options, const EncoderOutput& encoderOutput,
                                            std::int64_t promptLength);

/// Those behind a user's own: what shapes a distribution to sample from, and the normalization.
std::vector<LogitsProcessor> makeWarpers(const GenerationOptions& options);

// ngrams.cc
LogitsProcessor noRepeatNgram(std::int64_t size);
LogitsProcessor encoderNoRepeatNgram(std::int64_t size, const at::Tensor& encoderInputIds);

// penalties.cc
LogitsProcessor repetitionPenalty(double penalty);
LogitsProcessor encoderRepetitionPenalty(double penalty, at::Tensor encoderInputIds);
LogitsProcessor exponentialDecayLengthPenalty(const ExponentialDecay& decay, at::Tensor eosTokenIds,
                                              std::int64_t promptLength);
LogitsProcessor sequenceBias(const std::vector<SequenceBias>& biases, const at::Device& device);

// constraints.cc
/// -infinity for the ids while a sequence is shorter than `length`.
LogitsProcessor suppressBelow(std::int64_t length, at::Tensor ids);
/// -infinity for the ids when a sequence is exactly that long.
LogitsProcessor suppressAt(std::int64_t length, at::Tensor ids);
LogitsProcessor suppress(at::Tensor ids);
/// 0 for the ids and -infinity for all others when a sequence is exactly that long.
LogitsProcessor forceAt(std::int64_t length, at::Tensor ids);
LogitsProcessor removeInvalidValues();

// warpers.cc: `least` tokens always stay.
LogitsProcessor temperature(double temperature);
LogitsProcessor topK(std::int64_t k, std::int64_t least);
LogitsProcessor topP(double p, std::int64_t least);
LogitsProcessor minP(double p, std::int64_t least);
LogitsProcessor typicalP(double mass, std::int64_t least);
LogitsProcessor epsilonCutoff(double epsilon, std::int64_t least);
LogitsProcessor etaCutoff(double epsilon, std::int64_t least);
LogitsProcessor logSoftmax();

}  // namespace torch_t5
