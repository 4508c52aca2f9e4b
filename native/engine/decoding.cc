#include "engine/decoding.h"

#include <string>
#include <utility>

#include "core/errors.h"
#include "engine/tensors.h"

namespace torch_t5 {

DecoderOutput decode(Engine& engine, DecoderState& state, const at::Tensor& decoderInputIds,
                     const LogitsSelection& selection) {
  if (decoderInputIds.size(0) != state.batch())
    throw invalidArgument(std::to_string(state.batch()) + " rows", "decoderInputIds", decoderInputIds.size(0));
  const std::int64_t length = decoderInputIds.size(1);
  DecoderOutput output;
  if (state.position == 0) {
    output = engine.prefill(decoderInputIds, state.source, selection);
  } else if (length == 1) {
    output = engine.step(decoderInputIds, state.cache, selection);
  } else {
    throw invalidArgument("one id per row after position 0", "decoderInputIds", length);
  }
  state.cache = std::exchange(output.cache, {});
  state.position += length;
  return output;
}

DecoderState selectRows(const DecoderState& state, const at::Tensor& rows) {
  return {state.source.select(rows), state.cache ? state.cache->select(rows) : nullptr, state.position};
}

DecodeResult runDecode(Engine& engine, DecoderState state, const DecodeRequest& request) {
  if (request.rows) state = selectRows(state, toTensor(*request.rows, engine.device()));
  const at::Tensor ids = toTensor(request.decoderInputIds, request.batch, request.targetLength, engine.device());
  const LogitsSelection logitsSelection = toLogitsSelection(request.selection, engine);
  DecoderOutput decoded = decode(engine, state, ids, logitsSelection);
  ForwardOutput output{std::move(decoded.logits), {}, std::move(decoded.decoderLastHiddenState)};
  return {reduce(std::move(output), logitsSelection, request.selection), std::move(state)};
}

}  // namespace torch_t5
