// A decoder that remembers: what it has read so far, as keys and values of every layer.
#pragma once

#include <vector>

#include "engine/encoding.h"
#include "engine/reductions.h"
#include "types.h"

namespace torch_t5 {

/// Its tensors are never written to: a copy of the state is a fork of the decoding, and costs nothing.
struct DecoderState {
  Encoded encoded;
  std::vector<at::Tensor> past;  // as the engine gives it; none at position 0
  std::int64_t position = 0;     // ids read

  std::int64_t batch() const { return encoded.batch(); }
};

/// Reads ids [B, T], int64 on the device: any number of them at position 0, then one per row. Moves the state on; where
/// it throws, the state is as it was. Throws ERR_INVALID_ARGUMENT.
DecoderOutput decode(Engine& engine, DecoderState& state, const at::Tensor& decoderInputIds);

/// Row i of the result is row `rows[i]`, int64 on the device: Hugging Face's `reorder_cache`.
std::vector<at::Tensor> selectPast(const std::vector<at::Tensor>& past, const at::Tensor& rows);

/// Row i of the result goes on from row `rows[i]`, int64 on the device.
DecoderState selectRows(const DecoderState& state, const at::Tensor& rows);

/// A result, and the state behind it.
struct DecodeResult {
  ForwardResult forward;
  DecoderState state;
};

/// One request on a state. The request must have passed `check`. Throws what `decode` and `reduce` throw.
DecodeResult runDecode(Engine& engine, DecoderState state, const DecodeRequest& request);

}  // namespace torch_t5
