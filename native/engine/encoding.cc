#include "engine/encoding.h"

#include <ATen/ops/ones_like.h>

#include "engine/result_copies.h"
#include "engine/tensors.h"

namespace torch_t5 {
SourceTensors toTensors(const SourceIds& source, const at::Device& device) {
  const at::Tensor inputIds = toTensor(source.inputIds, source.batch, source.length, device);
  if (!source.attentionMask) return {inputIds, at::ones_like(inputIds)};
  return {inputIds, toTensor(*source.attentionMask, source.batch, source.length, device)};
}

EncoderOutput encode(Engine& engine, const SourceIds& source) {
  const auto [inputIds, attentionMask] = toTensors(source, engine.device());
  return {inputIds, attentionMask, engine.encode(inputIds, attentionMask)};
}

at::Tensor lastHiddenState(Engine& engine, const SourceIds& source) {
  return owned(encode(engine, source).lastHiddenState, at::kFloat);
}

std::shared_ptr<const EncoderOutput> encodeIfNeeded(Engine& engine, const EncoderSource& source) {
  if (const auto* ids = std::get_if<SourceIds>(&source))
    return std::make_shared<const EncoderOutput>(encode(engine, *ids));
  return std::get<std::shared_ptr<const EncoderOutput>>(source);
}

}  // namespace torch_t5
