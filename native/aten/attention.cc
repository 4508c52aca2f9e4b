#include "aten/attention.h"

#include <ATen/ExpandUtils.h>
#include <ATen/ops/add.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace torch_t5 {
namespace {

/// With fewer queries the scores are small, and a fused attention kernel gains nothing. On newer NVIDIA GPUs it loses:
/// cuDNN makes a plan, which takes tens of milliseconds, for each number of keys, and every step has one more key.
constexpr std::int64_t kMinQueriesOfFusedKernel = 16;
/// CUDA's kernels require each row of a mask to start at a multiple of this many elements, and otherwise copy the mask
/// in every layer.
constexpr std::int64_t kRowAlignment = 16;
constexpr std::int64_t kMinReach = 64;

/// Whether a product in float32 takes operands of another type. Only CUDA has such products.
bool isMixedProduct(const at::Tensor& operand) { return operand.is_cuda() && operand.scalar_type() != at::kFloat; }

at::Tensor attendStepByStep(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const at::Tensor& mask) {
  at::Tensor scores = multiplyToFloat32(queries.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2));
  if (mask.defined()) scores.view({queries.size(0), queries.size(1), queries.size(2), keys.size(2)}).add_(mask);
  const at::Tensor probabilities = at::softmax(scores, -1).to(values.scalar_type());
  return at::bmm(probabilities, values.flatten(0, 1)).view(queries.sizes());
}

}  // namespace

at::Tensor multiplyToFloat32(const at::Tensor& a, const at::Tensor& b) {
  if (isMixedProduct(a)) return a.dim() == 2 ? at::mm(a, b, at::kFloat) : at::bmm(a, b, at::kFloat);
  return at::matmul(a.to(at::kFloat), b.to(at::kFloat));
}

void multiplyToFloat32(const at::Tensor& a, const at::Tensor& b, at::Tensor output) {
  if (isMixedProduct(a)) {
    at::mm_out(output, a, b, at::kFloat);
  } else {
    at::mm_out(output, a.to(at::kFloat), b.to(at::kFloat));
  }
}

at::Tensor paddingMask(const at::Tensor& attentionMask) {
  return attentionMask.eq(0).any().item<bool>() ? paddingMaskOnDevice(attentionMask) : at::Tensor();
}

at::Tensor paddingMaskOnDevice(const at::Tensor& attentionMask) {
  return at::zeros(attentionMask.sizes(), attentionMask.options().dtype(at::kFloat))
      .masked_fill_(attentionMask.eq(0), kMaskedScore)
      .unsqueeze(1)
      .unsqueeze(1);
}

void writePadding(const at::Tensor& larger, const at::Tensor& mask) {
  clearPadding(larger, mask.size(3));
  larger.narrow(0, 0, mask.size(0)).narrow(3, 0, mask.size(3)).copy_(mask);
}

void clearPadding(const at::Tensor& larger, std::int64_t keys) {
  hideKeys(larger, keys);
  larger.narrow(3, 0, keys).zero_();
}

void hideKeys(const at::Tensor& mask, std::int64_t first) {
  // Infinitely low, not only very low: a query without any unmasked key attends equally to the other masked ones alone.
  const std::int64_t count = mask.size(3) - first;
  if (count > 0) mask.narrow(3, first, count).fill_(-std::numeric_limits<float>::infinity());
}

RelativePositionBias::RelativePositionBias(at::Tensor weight, const Buckets& buckets)
    : weight_(std::move(weight)), buckets_(buckets) {}

at::Tensor RelativePositionBias::reversed(std::int64_t first, std::int64_t queries, std::int64_t keys) {
  growTo(keys - 1);
  // Window i starts at distance i - reach. The keys of a query at position p start at distance -p.
  return byDistance_.unfold(1, keys, 1).narrow(1, reach_ - first - (queries - 1), queries).unsqueeze(0);
}

at::Tensor RelativePositionBias::inOrder(const at::Tensor& reversed) {
  return reversed.size(2) == 1 ? reversed : at::flip(reversed, 2);
}

at::Tensor RelativePositionBias::byDistanceBack(std::int64_t reach) const {
  return at::flip(biasByDistance(weight_, buckets_, reach).narrow(1, 0, reach + 1), 1).contiguous();
}

void RelativePositionBias::growTo(std::int64_t reach) {
  if (reach <= reach_) return;
  const std::int64_t longer = std::max({reach, 2 * reach_, kMinReach});
  byDistance_ = biasByDistance(weight_, buckets_, longer);
  if (!buckets_.isBidirectional) byDistance_.narrow(1, longer + 1, longer).fill_(kMaskedScore);
  reach_ = longer;  // after the biases, which there may be no memory for
}

at::Tensor scoreMask(const at::Tensor& bias, const at::Tensor& padding, at::ScalarType type) {
  if (!bias.defined() && !padding.defined()) return {};
  const bool hasBoth = bias.defined() && padding.defined();
  const at::Tensor& either = bias.defined() ? bias : padding;
  at::DimVector sizes =
      hasBoth ? at::infer_size_dimvector(bias.sizes(), padding.sizes()) : at::DimVector(either.sizes());
  const std::int64_t keys = sizes.back();
  sizes.back() = (keys + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
  at::Tensor mask = at::empty(sizes, either.options().dtype(type)).narrow(-1, 0, keys);
  return hasBoth ? at::add_out(mask, bias, padding) : mask.copy_(either);
}

at::Tensor attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& mask) {
  if (queries.size(2) < kMinQueriesOfFusedKernel) return attendStepByStep(queries, keys, values, mask);
  const std::optional<at::Tensor> addedMask = mask.defined() ? std::optional(mask) : std::nullopt;
  return at::scaled_dot_product_attention(queries, keys, values, addedMask, /*dropout_p=*/0.0, /*is_causal=*/false,
                                          /*scale=*/1.0);
}

}  // namespace torch_t5
