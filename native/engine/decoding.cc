#include "engine/decoding.h"

#include <ATen/ops/full.h>

#include <string>
#include <utility>

#include "core/errors.h"
#include "engine/tensors.h"

namespace torch_t5 {

namespace {

/// Runs `call` on a state, and advances the state.
Task<DecodeCall> advance(SharedEngine& engine, DecoderState& state, DecodeCall call) {
  if (call.decoderInputIds.size(0) != state.batch())
    throw invalidArgument(std::to_string(state.batch()) + " rows", "decoderInputIds", call.decoderInputIds.size(0));
  const std::int64_t length = call.decoderInputIds.size(1);
  if (state.position > 0 && length != 1)
    throw invalidArgument("one id per row after position 0", "decoderInputIds", length);
  DecodeCall decoded = co_await engine.decode(std::move(call));
  state.cache = std::exchange(decoded.output.cache, {});
  state.position += length;
  co_return std::move(decoded);
}

}  // namespace

LogitsSelection lastPosition(const at::Tensor& decoderInputIds) {
  LogitsSelection last;
  last.needsStates = false;
  const std::int64_t length = decoderInputIds.size(1);
  if (length > 1) last.positions = at::full({1}, length - 1, decoderInputIds.options());
  return last;
}

Task<DecoderOutput> decode(SharedEngine& engine, DecoderState& state, at::Tensor decoderInputIds,
                           LogitsSelection selection) {
  DecodeCall call{std::move(decoderInputIds), state.source, state.cache, std::move(selection), false, {}, {}};
  DecodeCall decoded = co_await advance(engine, state, std::move(call));
  co_return std::move(decoded.output);
}

Task<at::Tensor> decodeToHighest(SharedEngine& engine, DecoderState& state, at::Tensor decoderInputIds) {
  LogitsSelection last = lastPosition(decoderInputIds);
  DecodeCall call{std::move(decoderInputIds), state.source, state.cache, std::move(last), true, {}, {}};
  DecodeCall decoded = co_await advance(engine, state, std::move(call));
  co_return std::move(decoded.tokens);
}

DecoderState selectRows(const DecoderState& state, const at::Tensor& rows) {
  return {state.source.select(rows), state.cache ? state.cache->select(rows) : nullptr, state.position};
}

Task<DecodeResult> runDecode(SharedEngine& engine, DecoderState state, std::shared_ptr<const DecodeRequest> request) {
  if (request->rows) state = selectRows(state, toTensor(*request->rows, engine.device()));
  const at::Tensor ids = toTensor(request->decoderInputIds, request->batch, request->targetLength, engine.device());
  const LogitsSelection logitsSelection = toLogitsSelection(request->selection, engine);
  DecoderOutput decoded = co_await decode(engine, state, ids, logitsSelection);
  ForwardOutput output{
      std::move(decoded.logits), {}, std::move(decoded.decoderLastHiddenState), std::move(decoded.layers)};
  ForwardResult forward = reduce(std::move(output), logitsSelection, request->selection);
  co_return DecodeResult{std::move(forward), std::move(state)};
}

}  // namespace torch_t5
