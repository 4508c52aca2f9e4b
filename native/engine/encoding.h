// Runs the encoder, and makes of what it gives what was asked for.
#pragma once

#include <memory>
#include <variant>

#include "engine/engine.h"
#include "core/requests.h"

namespace torch_t5 {

/// A source's ids and mask on the device, both [B, S] int64.
struct SourceTensors {
  at::Tensor inputIds;
  at::Tensor attentionMask;
};

SourceTensors toTensors(const SourceIds& source, const at::Device& device);

/// Ids that are still to be encoded, or what an earlier call encoded.
using Source = std::variant<SourceIds, std::shared_ptr<const Encoded>>;

/// Runs the encoder. The ids must have passed `check`.
Encoded encode(Engine& engine, const SourceIds& source);

/// Encodes what isn't.
std::shared_ptr<const Encoded> encoded(Engine& engine, const Source& source);

/// float32 [B, D] on the CPU. Padding counts for nothing in the mean: the formula of sentence-transformers' Pooling,
/// and of its Normalize.
at::Tensor pool(const Encoded& encoded, const Pooling& pooling);

}  // namespace torch_t5
