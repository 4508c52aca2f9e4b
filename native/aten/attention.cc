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

/// For fewer queries than this the scores are small, and a kernel for whole sequences gains nothing. On NVIDIA's newer
/// GPUs it loses: cuDNN plans anew, for tens of milliseconds, for every number of keys, which each step has one more
/// of.
constexpr std::int64_t kManyQueries = 16;
/// CUDA's kernels want a mask's rows to start at multiples of so many numbers, and else copy it at every layer.
constexpr std::int64_t kRowAlignment = 16;
constexpr std::int64_t kLeastReach = 64;

at::Tensor attendInParts(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                         const at::Tensor& mask) {
  at::Tensor scores = multiplyToFloat32(queries.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2));
  if (mask.defined()) scores.view({queries.size(0), queries.size(1), queries.size(2), keys.size(2)}).add_(mask);
  const at::Tensor probabilities = at::softmax(scores, -1).to(values.scalar_type());
  return at::bmm(probabilities, values.flatten(0, 1)).view(queries.sizes());
}

}  // namespace

at::Tensor multiplyToFloat32(const at::Tensor& a, const at::Tensor& b) {
  const bool isMixed = a.is_cuda() && a.scalar_type() != at::kFloat;  // only CUDA has such products
  if (isMixed) return a.dim() == 2 ? at::mm(a, b, at::kFloat) : at::bmm(a, b, at::kFloat);
  return at::matmul(a.to(at::kFloat), b.to(at::kFloat));
}

at::Tensor paddingOf(const at::Tensor& attentionMask) {
  const at::Tensor isPadding = attentionMask.eq(0);
  if (!isPadding.any().item<bool>()) return {};
  return at::zeros(attentionMask.sizes(), attentionMask.options().dtype(at::kFloat))
      .masked_fill_(isPadding, kUnseen)
      .unsqueeze(1)
      .unsqueeze(1);
}

DistanceBias::DistanceBias(at::Tensor weight, const Buckets& buckets) : weight_(std::move(weight)), buckets_(buckets) {}

void DistanceBias::reachTo(std::int64_t reach) {
  if (reach <= reach_) return;
  reach_ = std::max({reach, 2 * reach_, kLeastReach});
  byDistance_ = biasByDistance(weight_, buckets_, reach_);
  if (!buckets_.isBidirectional) byDistance_.narrow(1, reach_ + 1, reach_).fill_(kUnseen);
}

at::Tensor DistanceBias::of(std::int64_t first, std::int64_t queries, std::int64_t keys) {
  reachTo(keys - 1);
  // Row i of the windows starts at distance i - reach; a query at position p at distance -p.
  const at::Tensor windows = byDistance_.unfold(1, keys, 1).narrow(1, reach_ - first - (queries - 1), queries);
  return (queries == 1 ? windows : at::flip(windows, 1)).unsqueeze(0);
}

at::Tensor scoreMask(const at::Tensor& bias, const at::Tensor& padding, at::ScalarType type) {
  if (!bias.defined() && !padding.defined()) return {};
  const bool areBoth = bias.defined() && padding.defined();
  const at::Tensor& either = bias.defined() ? bias : padding;
  at::DimVector sizes =
      areBoth ? at::infer_size_dimvector(bias.sizes(), padding.sizes()) : at::DimVector(either.sizes());
  const std::int64_t keys = sizes.back();
  sizes.back() = (keys + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
  at::Tensor mask = at::empty(sizes, either.options().dtype(type)).narrow(-1, 0, keys);
  return areBoth ? at::add_out(mask, bias, padding) : mask.copy_(either);
}

at::Tensor attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& mask) {
  if (queries.size(2) < kManyQueries) return attendInParts(queries, keys, values, mask);
  const std::optional<at::Tensor> added = mask.defined() ? std::optional(mask) : std::nullopt;
  return at::scaled_dot_product_attention(queries, keys, values, added, /*dropout_p=*/0.0, /*is_causal=*/false,
                                          /*scale=*/1.0);
}

}  // namespace torch_t5
