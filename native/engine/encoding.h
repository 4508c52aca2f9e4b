// What the encoder gives, kept on the device for as many decodings as are wanted.
#pragma once

#include <memory>
#include <variant>

#include "engine/engine.h"
#include "types.h"

namespace torch_t5 {

/// B rows of S positions. Its tensors are never written to, so that many may share them.
struct Encoded {
  at::Tensor inputIds;         // [B, S] int64
  at::Tensor attentionMask;    // [B, S] int64
  at::Tensor lastHiddenState;  // [B, S, D]

  std::int64_t batch() const { return lastHiddenState.size(0); }
};

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

/// Row i of the result is row `rows[i]`; `rows` is int64 on the same device. Throws ERR_INVALID_ARGUMENT for a row that
/// isn't there.
Encoded selectRows(const Encoded& encoded, const at::Tensor& rows);

/// Every row `count` times, one after the other: Hugging Face's `_expand_inputs_for_generation`.
Encoded repeatRows(const Encoded& encoded, std::int64_t count);

/// float32 [B, D] on the CPU. Padding counts for nothing in the mean: the formula of sentence-transformers' Pooling,
/// and of its Normalize.
at::Tensor pool(const Encoded& encoded, const Pooling& pooling);

}  // namespace torch_t5
