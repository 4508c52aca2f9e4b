// Encoding: runs the encoder.
#pragma once

#include <memory>
#include <variant>

#include "core/requests.h"
#include "engine/shared_engine.h"

namespace torch_t5 {

/// A source's ids and mask on the device, both [B, S] int64.
struct SourceTensors {
  at::Tensor inputIds;
  at::Tensor attentionMask;
};

/// The ids must have passed `check`. Without a mask, all ones.
SourceTensors toTensors(const SourceIds& source, const at::Device& device);

/// Ids to encode, or the output of an earlier `encode`.
using EncoderSource = std::variant<SourceIds, std::shared_ptr<const EncoderOutput>>;

/// Encodes ids, which must have passed `check`; returns an encoder output unchanged. Throws what the engine throws.
Task<std::shared_ptr<const EncoderOutput>> encodeIfNeeded(SharedEngine& engine, const EncoderSource& source);

/// The encoder's last hidden state, float32 [B, S, D] on the CPU. The ids must have passed `check`. Throws what the
/// engine throws.
Task<at::Tensor> lastHiddenState(SharedEngine& engine, std::shared_ptr<const SourceIds> source);

}  // namespace torch_t5
