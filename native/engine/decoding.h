// Incremental decoding: a decoder's state, and a decode request on it.
#pragma once

#include <memory>

#include "core/requests.h"
#include "engine/forward.h"
#include "engine/shared_engine.h"

namespace torch_t5 {

/// The ids that a decoder has read, as its source and its cache. Both are immutable, so a copy of the state is a cheap
/// fork.
struct DecoderState {
  DecoderSource source;
  std::shared_ptr<const DecoderCache> cache;  // null at position 0
  std::int64_t position = 0;                  // the number of ids read

  std::int64_t batch() const { return source.batch(); }
};

/// Runs the decoder on ids [R, T], int64 on the device: T is any number at position 0, and 1 at later positions.
/// Advances the state, which takes the output's cache; if this throws, the state is unchanged. Throws
/// ERR_INVALID_ARGUMENT for another number of rows or ids, and what the engine throws.
Task<DecoderOutput> decode(SharedEngine& engine, DecoderState& state, at::Tensor decoderInputIds,
                           LogitsSelection selection);

/// The selection of the last of T positions, without hidden states. `decoderInputIds`: [R, T].
LogitsSelection lastPosition(const at::Tensor& decoderInputIds);

/// As `decode` with the last position's logits, but returns the id of the highest logit of each row: int64 [R].
Task<at::Tensor> decodeToHighest(SharedEngine& engine, DecoderState& state, at::Tensor decoderInputIds);

/// Row i of the result continues row `rows[i]`. `rows`: int64 on the device. Throws for a row out of range.
DecoderState selectRows(const DecoderState& state, const at::Tensor& rows);

struct DecodeResult {
  ForwardResult forward;
  DecoderState state;  // after the request
};

/// Runs a request on a state. The request must have passed `check`. Throws what `selectRows`, `decode`,
/// `toLogitsSelection` and `reduce` throw.
Task<DecodeResult> runDecode(SharedEngine& engine, DecoderState state, std::shared_ptr<const DecodeRequest> request);

}  // namespace torch_t5
