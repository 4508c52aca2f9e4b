#include "weights/position_bias.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/log.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace torch_t5 {
namespace {

/// The buckets of distances, both int64.
at::Tensor bucketsOf(const at::Tensor& distances, const Buckets& buckets) {
  std::int64_t count = buckets.count;
  at::Tensor bucket = at::zeros_like(distances);
  at::Tensor away;
  if (buckets.isBidirectional) {
    count /= 2;
    bucket = (distances > 0).to(at::kLong) * count;
    away = distances.abs();
  } else {
    away = distances.neg().clamp_min(0);
  }
  const std::int64_t maxExact = count / 2;
  // Buckets of larger distances grow logarithmically. The float32 operations and their order are Hugging Face's.
  const double logOfMax = std::log(static_cast<double>(buckets.maxDistance) / static_cast<double>(maxExact));
  const at::Tensor far =
      maxExact + (at::log(away.to(at::kFloat) / maxExact) / logOfMax * (count - maxExact)).to(at::kLong);
  return bucket + at::where(away < maxExact, away, at::minimum(far, at::full_like(far, count - 1)));
}

}  // namespace

at::Tensor biasByDistance(const at::Tensor& weight, const Buckets& buckets, std::int64_t reach) {
  const at::Tensor distances = at::arange(-reach, reach + 1, weight.options().dtype(at::kLong));
  return at::index_select(weight, 0, bucketsOf(distances, buckets)).t().contiguous();
}

}  // namespace torch_t5
