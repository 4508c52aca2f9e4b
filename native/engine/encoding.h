// Runs the encoder, and makes of what it gives what was asked for.
#pragma once

#include <memory>
#include <variant>

#include "core/requests.h"
#include "engine/engine.h"

namespace torch_t5 {

/// A source's ids and mask on the device, both [B, S] int64.
struct SourceTensors {
  at::Tensor inputIds;
  at::Tensor attentionMask;
};

SourceTensors toTensors(const SourceIds& source, const at::Device& device);

/// Ids that are yet to be encoded, or the output of an earlier `encode`.
using EncoderSource = std::variant<SourceIds, std::shared_ptr<const EncoderOutput>>;

/// Runs the encoder. The ids must have passed `check`.
EncoderOutput encode(Engine& engine, const SourceIds& source);

/// Encodes what isn't.
std::shared_ptr<const EncoderOutput> encodeIfNeeded(Engine& engine, const EncoderSource& source);

/// float32 [B, D] on the CPU. Padding counts for nothing in the mean: the formula of sentence-transformers' Pooling,
/// and of its Normalize.
at::Tensor pool(const EncoderOutput& encoderOutput, const Pooling& pooling);

}  // namespace torch_t5
