#include "engine/encoding.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ones_like.h>

#include "engine/result_copies.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

// The lower limits of divisors in sentence-transformers.
constexpr double kMinCount = 1e-9;
constexpr double kMinNorm = 1e-12;

}  // namespace

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

at::Tensor pool(const EncoderOutput& encoderOutput, const Pooling& pooling) {
  const at::Tensor& states = encoderOutput.lastHiddenState;
  at::Tensor pooled;
  if (pooling.first) {
    pooled = states.select(1, 0);
  } else {
    const at::Tensor kept = encoderOutput.attentionMask.unsqueeze(-1).expand_as(states).to(states.scalar_type());
    pooled = (states * kept).sum(1) / kept.sum(1).clamp_min(kMinCount);
  }
  if (pooling.normalize) {
    const at::Tensor norm = at::linalg_vector_norm(pooled, 2, at::IntArrayRef{1}, /*keepdim=*/true);
    pooled = pooled / norm.clamp_min(kMinNorm).expand_as(pooled);
  }
  return owned(pooled, at::kFloat);
}

}  // namespace torch_t5
