// Incremental decoding: a decoder's state, and a decode request on it.
#pragma once

#include <memory>

#include "core/requests.h"
#include "engine/engine.h"
#include "engine/forward.h"

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
DecoderOutput decode(Engine& engine, DecoderState& state, const at::Tensor& decoderInputIds,
                     const LogitsSelection& selection);

/// Row i of the result continues row `rows[i]`. `rows`: int64 on the device. Throws for a row out of range.
DecoderState selectRows(const DecoderState& state, const at::Tensor& rows);

struct DecodeResult {
  ForwardResult forward;
  DecoderState state;  // after the request
};

/// Runs a request on a state. The request must have passed `check`. Throws what `selectRows`, `decode`,
/// `toLogitsSelection` and `reduce` throw.
DecodeResult runDecode(Engine& engine, DecoderState state, const DecodeRequest& request);

}  // namespace torch_t5
