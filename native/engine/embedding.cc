#include "engine/embedding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "core/errors.h"
#include "engine/result_copies.h"

namespace torch_t5 {
namespace {

// The lower limits of divisors in sentence-transformers.
constexpr double kMinCount = 1e-9;
constexpr double kMinNorm = 1e-12;

/// The position of the first 1 in each row of a mask [B, S]; 0 in a row without one.
at::Tensor firstKept(const at::Tensor& mask) { return mask.to(at::kInt).argmax(1); }

at::Tensor positionsOf(const at::Tensor& mask) { return at::arange(mask.size(1), mask.options()); }

/// The mask without the first `promptLength` positions that it keeps in each row.
at::Tensor withoutPrompt(const at::Tensor& mask, std::int64_t promptLength) {
  if (promptLength == 0) return mask;
  const at::Tensor end = firstKept(mask) + promptLength;
  return mask.masked_fill(positionsOf(mask).unsqueeze(0) < end.unsqueeze(1), 0);
}

/// The sum over the positions, weighted [B, S], and the sum of the weights.
at::Tensor weightedMean(const at::Tensor& states, const at::Tensor& weights) {
  return (states * weights.unsqueeze(-1)).sum(1) / weights.sum(1, /*keepdim=*/true).clamp_min(kMinCount);
}

at::Tensor lastState(const at::Tensor& states, const at::Tensor& mask) {
  const auto [largest, fromEnd] = mask.flip({1}).max(1);
  const at::Tensor positions = mask.size(1) - 1 - fromEnd.masked_fill(largest == 0, mask.size(1) - 1);
  return statesAt(states * mask.unsqueeze(-1), positions);
}

/// Whether the first position is read, whatever its mask.
bool readsFirst(const Pooling& pooling) {
  return std::find(pooling.modes.begin(), pooling.modes.end(), PoolingMode::kFirst) != pooling.modes.end();
}

/// `all`: the encoder's mask; `mask`: the positions of it that are pooled. Both [B, S] int64.
at::Tensor pool(const at::Tensor& states, const at::Tensor& all, const at::Tensor& mask, PoolingMode mode) {
  const at::Tensor kept = mask.to(states.scalar_type());
  switch (mode) {
    case PoolingMode::kFirst:
      return states.select(1, 0);
    case PoolingMode::kCls:
      return statesAt(states, firstKept(mask));
    case PoolingMode::kMax:
      return states.masked_fill(mask.unsqueeze(-1) == 0, -std::numeric_limits<float>::infinity()).amax(1);
    case PoolingMode::kMeanSqrtLength:
      return (states * kept.unsqueeze(-1)).sum(1) / kept.sum(1, /*keepdim=*/true).clamp_min(kMinCount).sqrt();
    case PoolingMode::kWeightedMean:
      return weightedMean(states, kept * (positionsOf(mask) + 1 - firstKept(all).unsqueeze(1)).to(kept.scalar_type()));
    case PoolingMode::kLastToken:
      return lastState(states, mask);
    case PoolingMode::kMean:
      break;
  }
  return weightedMean(states, kept);
}

/// The pooled vectors of several modes, concatenated: [B, columns].
at::Tensor pool(const at::Tensor& states, const at::Tensor& all, const Pooling& pooling) {
  const at::Tensor mask = withoutPrompt(all, pooling.promptLength);
  std::vector<at::Tensor> pooled;
  for (const PoolingMode mode : pooling.modes) pooled.push_back(pool(states, all, mask, mode));
  return pooled.size() == 1 ? pooled.front() : at::cat(pooled, -1);
}

/// The same for each row without its padding: the order in which libtorch adds depends on the number of positions.
at::Tensor poolEachRow(const at::Tensor& states, const at::Tensor& mask, const Pooling& pooling) {
  std::vector<at::Tensor> pooled;
  for (std::int64_t row = 0; row < mask.size(0); ++row) {
    const at::Tensor kept = mask[row].nonzero();
    const auto begin = readsFirst(pooling) || kept.numel() == 0 ? 0 : kept[0].item<std::int64_t>();
    const auto end = kept.numel() == 0 ? mask.size(1) : kept[-1].item<std::int64_t>() + 1;
    const auto rowOf = [&](const at::Tensor& tensor) { return tensor.narrow(0, row, 1).slice(1, begin, end); };
    pooled.push_back(pool(rowOf(states), rowOf(mask), pooling));
  }
  return at::cat(pooled);
}

at::Tensor normalize(const at::Tensor& rows) {
  const at::Tensor norm = at::linalg_vector_norm(rows, 2, at::IntArrayRef{-1}, /*keepdim=*/true);
  return rows / norm.clamp_min(kMinNorm).expand_as(rows);
}

}  // namespace

at::Tensor statesAt(const at::Tensor& states, const at::Tensor& positions) {
  return states.gather(1, positions.view({-1, 1, 1}).expand({-1, 1, states.size(2)})).squeeze(1);
}

Dense::Dense(const DenseWeights& weights, const at::Device& device) : activation_(weights.activation) {
  const auto copy = [&device](const std::vector<float>& values, at::IntArrayRef shape) {
    // The vector isn't written to.
    return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).clone().to(device);
  };
  weight_ = copy(weights.weight, {weights.outputs, weights.inputs});
  if (weights.bias) bias_ = copy(*weights.bias, {weights.outputs});
}

Dense::Dense(const at::Tensor& weight, const at::Tensor& bias, DenseActivation activation, const at::Device& device)
    : weight_(weight.clone().to(device)), bias_(bias.clone().to(device)), activation_(activation) {}

at::Tensor Dense::apply(const at::Tensor& input) const {
  const at::Tensor output = at::linear(input, weight_, bias_);
  switch (activation_) {
    case DenseActivation::kTanh:
      return output.tanh();
    case DenseActivation::kRelu:
      return output.relu();
    case DenseActivation::kGelu:
      return at::gelu(output);
    case DenseActivation::kSilu:
      return at::silu(output);
    case DenseActivation::kSigmoid:
      return output.sigmoid();
    case DenseActivation::kIdentity:
      break;
  }
  return output;
}

at::Tensor applyDense(const Dense& dense, const at::Tensor& rows, bool isBatchInvariant) {
  if (rows.size(-1) != dense.inputs()) {
    throw invalidArgument(std::to_string(dense.inputs()) + " columns", "a dense layer's input", rows.size(-1));
  }
  if (!isBatchInvariant) return dense.apply(rows);
  // The bits of a matrix product depend on the number of rows and on the address of its input.
  std::vector<at::Tensor> outputs;
  for (const at::Tensor& row : rows.split(1)) outputs.push_back(dense.apply(row.clone()));
  return at::cat(outputs);
}

at::Tensor embed(const SharedEngine& engine, const EncoderOutput& encoderOutput, const Pooling& pooling,
                 const std::vector<EmbeddingLayer>& layers) {
  const at::Tensor& states = encoderOutput.lastHiddenState;
  const at::Tensor& mask = encoderOutput.attentionMask;
  at::Tensor rows = engine.isBatchInvariant() ? poolEachRow(states, mask, pooling) : pool(states, mask, pooling);
  for (const EmbeddingLayer& layer : layers) {
    rows = layer == nullptr ? normalize(rows) : applyDense(*layer, rows, engine.isBatchInvariant());
  }
  return owned(rows, at::kFloat);
}

Task<at::Tensor> runEmbed(SharedEngine& engine, std::shared_ptr<const EncoderSource> source, Pooling pooling,
                          std::vector<EmbeddingLayer> layers) {
  const std::shared_ptr<const EncoderOutput> encoderOutput = co_await encodeIfNeeded(engine, *source);
  co_return embed(engine, *encoderOutput, pooling, layers);
}

}  // namespace torch_t5
