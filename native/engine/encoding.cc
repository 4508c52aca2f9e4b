#include "engine/encoding.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ones_like.h>

#include <utility>

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

Task<std::shared_ptr<const EncoderOutput>> encodeIfNeeded(SharedEngine& engine, const EncoderSource& source) {
  if (const auto* encoded = std::get_if<std::shared_ptr<const EncoderOutput>>(&source)) co_return *encoded;
  SourceTensors ids = toTensors(std::get<SourceIds>(source), engine.device());
  at::Tensor states = co_await engine.encode(ids.inputIds, ids.attentionMask);
  co_return std::make_shared<const EncoderOutput>(
      EncoderOutput{std::move(ids.inputIds), std::move(ids.attentionMask), std::move(states)});
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

Task<at::Tensor> runEmbed(SharedEngine& engine, std::shared_ptr<const EncoderSource> source, Pooling pooling) {
  const std::shared_ptr<const EncoderOutput> encoderOutput = co_await encodeIfNeeded(engine, *source);
  co_return pool(*encoderOutput, pooling);
}

}  // namespace torch_t5
