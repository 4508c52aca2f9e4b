#include "engine/decoding.h"

#include <ATen/ops/index_select.h>

#include <string>
#include <utility>

#include "engine/tensors.h"
#include "errors.h"

namespace torch_t5 {

DecoderOutput decode(Engine& engine, DecoderState& state, const at::Tensor& decoderInputIds) {
  if (decoderInputIds.size(0) != state.batch()) {
    throw Error(ErrorCode::kInvalidArgument, "Expected " + std::to_string(state.batch()) +
                                                 " rows for decoderInputIds but received " +
                                                 std::to_string(decoderInputIds.size(0)));
  }
  const std::int64_t length = decoderInputIds.size(1);
  const Encoded& encoded = state.encoded;
  DecoderOutput output;
  if (state.position == 0) {
    output = engine.prefill(decoderInputIds, encoded.lastHiddenState, encoded.attentionMask);
  } else if (length == 1) {
    output = engine.step(decoderInputIds, encoded.attentionMask, state.past);
  } else {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected one id per row for a step behind the first but received " + std::to_string(length));
  }
  state.past = std::exchange(output.past, {});
  state.position += length;
  return output;
}

std::vector<at::Tensor> selectPast(const std::vector<at::Tensor>& past, const at::Tensor& rows) {
  std::vector<at::Tensor> selected;
  selected.reserve(past.size());
  for (const at::Tensor& tensor : past) selected.push_back(at::index_select(tensor, 0, rows));
  return selected;
}

DecoderState selectRows(const DecoderState& state, const at::Tensor& rows) {
  return {selectRows(state.encoded, rows), selectPast(state.past, rows), state.position};
}

DecodeResult runDecode(Engine& engine, DecoderState state, const DecodeRequest& request) {
  if (request.rows) state = selectRows(state, toTensor(*request.rows, engine.device()));
  const at::Tensor ids = toTensor(request.decoderInputIds, request.batch, request.targetLength, engine.device());
  DecoderOutput output = decode(engine, state, ids);
  ForwardOutput full{std::move(output.logits), {}, std::move(output.decoderLastHiddenState)};
  return {reduce(std::move(full), /*labels=*/{}, request.selection), std::move(state)};
}

}  // namespace torch_t5
