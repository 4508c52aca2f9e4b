// Changes the scores of the next token before a token is chosen. Each function calls the operators of its namesake in
// transformers.generation.logits_process in the same order, so that even the last bits of the scores agree.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/engine.h"
#include "generation/options.h"

namespace torch_t5 {

/// Takes the ids so far [rows, length] (int64) and the scores of the next token [rows, V] (float32), and returns new
/// scores. Writes to neither.
using LogitsProcessor = std::function<at::Tensor(const at::Tensor& sequences, const at::Tensor& scores)>;

/// The processors that run before the user's own, in Hugging Face's order. `encoderOutput`: one row per source,
/// regardless of the number of rows that are decoded for it. `promptLength`: ids of the decoder's input.
std::vector<LogitsProcessor> makeLogitsProcessors(const GenerateOptions& options, const EncoderOutput& encoderOutput,
                                                  std::int64_t promptLength);

/// The processors that run after the user's own, in Hugging Face's order: the warpers, which shape the distribution
/// that tokens are sampled from, and the normalization. Defined in logits_warpers.cc.
std::vector<LogitsProcessor> makeLogitsWarpers(const GenerateOptions& options);

}  // namespace torch_t5
