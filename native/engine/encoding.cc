#include "engine/encoding.h"

#include <ATen/ops/ones_like.h>

#include <utility>

#include "engine/result_copies.h"
#include "engine/tensors.h"

namespace torch_t5 {
SourceTensors toTensors(const SourceIds& source, const at::Device& device) {
  const at::Tensor inputIds = toTensor(source.inputIds, source.batch, source.length, device);
  if (!source.attentionMask) return {inputIds, at::ones_like(inputIds)};
  return {inputIds, toTensor(*source.attentionMask, source.batch, source.length, device)};
}

Task<std::shared_ptr<const EncoderOutput>> encodeIfNeeded(SharedEngine& engine, const EncoderSource& source) {
  if (const auto* encoded = std::get_if<std::shared_ptr<const EncoderOutput>>(&source)) co_return *encoded;
  SourceTensors ids = toTensors(std::get<SourceIds>(source), engine.device());
  at::Tensor states = co_await engine.encode(ids.inputIds, ids.attentionMask);
  co_return std::make_shared<const EncoderOutput>(
      EncoderOutput{std::move(ids.inputIds), std::move(ids.attentionMask), std::move(states)});
}

Task<at::Tensor> lastHiddenState(SharedEngine& engine, std::shared_ptr<const SourceIds> source) {
  const SourceTensors ids = toTensors(*source, engine.device());
  at::Tensor states = co_await engine.encode(ids.inputIds, ids.attentionMask);
  co_return owned(std::move(states), at::kFloat);
}

}  // namespace torch_t5
