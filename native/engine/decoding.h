// A decoder that remembers: what it has read so far, as keys and values of every layer.
#pragma once

#include <memory>

#include "core/requests.h"
#include "engine/engine.h"
#include "engine/reductions.h"

namespace torch_t5 {

/// What it holds is never written to: a copy of the state is a fork of the decoding, and costs nothing.
struct DecoderState {
  DecoderSource source;
  std::shared_ptr<const DecoderCache> cache;  // null at position 0
  std::int64_t position = 0;                  // ids read

  std::int64_t batch() const { return source.batch(); }
};

/// Reads ids [R, T], int64 on the device: any number of them at position 0, then one per row. Moves the state on; where
/// it throws, the state is as it was. The output's cache goes into the state. Throws ERR_INVALID_ARGUMENT.
DecoderOutput decode(Engine& engine, DecoderState& state, const at::Tensor& decoderInputIds,
                     const LogitsSelection& wanted);

/// Row i of the result goes on from row `rows[i]`, int64 on the device.
DecoderState selectRows(const DecoderState& state, const at::Tensor& rows);

/// A result, and the state behind it.
struct DecodeResult {
  ForwardResult forward;
  DecoderState state;
};

/// One request on a state. The request must have passed `check`. Throws what `decode`, `toLogitsSelection` and
/// `reduce` throw.
DecodeResult runDecode(Engine& engine, DecoderState state, const DecodeRequest& request);

}  // namespace torch_t5
