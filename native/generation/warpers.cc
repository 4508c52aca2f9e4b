// Shapes a distribution before it is sampled from.
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/nansum.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <limits>

#include "generation/logits_processor.h"

namespace torch_t5 {
namespace {

at::Tensor remove(const at::Tensor& scores, const at::Tensor& which) {
  return scores.masked_fill(which, -std::numeric_limits<double>::infinity());
}

/// The `count`-th largest score of each row [rows, 1].
at::Tensor lowestOfTop(const at::Tensor& scores, std::int64_t count) {
  const std::int64_t k = std::min(count, scores.size(-1));
  return std::get<0>(at::topk(scores, k)).slice(-1, k - 1);
}

/// Marks of sorted scores, at the places where those scores stood before.
at::Tensor unsort(const at::Tensor& marks, const at::Tensor& indices) { return at::scatter(marks, 1, indices, marks); }

/// torch.distributions.Categorical(logits=scores).entropy().
at::Tensor entropyOf(const at::Tensor& scores) {
  const at::Tensor logits = scores - at::logsumexp(scores, at::IntArrayRef{-1}, /*keepdim=*/true);
  const at::Tensor bounded = at::clamp_min(logits, std::numeric_limits<float>::lowest());
  return -(bounded * at::softmax(logits, -1)).sum(-1);
}

}  // namespace

LogitsProcessor temperature(double temperature) {
  return [temperature](const at::Tensor&, const at::Tensor& scores) { return scores / temperature; };
}

LogitsProcessor topK(std::int64_t k, std::int64_t least) {
  return [count = std::max(k, least)](const at::Tensor&, const at::Tensor& scores) {
    return remove(scores, scores < lowestOfTop(scores, count));
  };
}

LogitsProcessor topP(double p, std::int64_t least) {
  return [p, least](const at::Tensor&, const at::Tensor& scores) {
    const auto [sorted, indices] = at::sort(scores, -1, /*descending=*/false);
    at::Tensor removed = at::cumsum(at::softmax(sorted, -1), -1) <= (1 - p);
    removed.slice(-1, -least).fill_(false);
    return remove(scores, unsort(removed, indices));
  };
}

LogitsProcessor minP(double p, std::int64_t least) {
  return [p, least](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor probabilities = at::softmax(scores, -1);
    at::Tensor removed = probabilities < at::amax(probabilities, at::IntArrayRef{-1}, /*keepdim=*/true) * p;
    const std::int64_t k = std::min(least, scores.size(-1));
    removed.scatter_(-1, std::get<1>(at::topk(probabilities, k)), false);
    return remove(scores, removed);
  };
}

LogitsProcessor typicalP(double mass, std::int64_t least) {
  return [mass, least](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor normalized = at::log_softmax(scores, -1);
    const at::Tensor entropy = -at::nansum(normalized * at::exp(normalized), at::IntArrayRef{-1}, /*keepdim=*/true);
    const auto [sorted, indices] = at::sort(at::abs(-normalized - entropy), -1, /*descending=*/false);
    const at::Tensor cumulative = at::cumsum(at::softmax(at::gather(scores, -1, indices), -1), -1);
    const at::Tensor last = at::clamp_max((cumulative < mass).sum(1), sorted.size(-1) - 1);
    at::Tensor removed = sorted > at::gather(sorted, 1, last.view({-1, 1}));
    removed.slice(-1, 0, least).fill_(false);
    return remove(scores, unsort(removed, indices));
  };
}

LogitsProcessor epsilonCutoff(double epsilon, std::int64_t least) {
  return [epsilon, least](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor unlikely = at::softmax(scores, -1) < epsilon;
    return remove(scores, unlikely & (scores < lowestOfTop(scores, least)));
  };
}

LogitsProcessor etaCutoff(double epsilon, std::int64_t least) {
  return [epsilon, least](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor bound = at::full({}, epsilon, scores.options());
    const at::Tensor eta = at::minimum(bound, at::sqrt(bound) * at::exp(-entropyOf(scores))).unsqueeze(-1);
    return remove(scores, (at::softmax(scores, -1) < eta) & (scores < lowestOfTop(scores, least)));
  };
}

LogitsProcessor logSoftmax() {
  return [](const at::Tensor&, const at::Tensor& scores) { return at::log_softmax(scores, -1); };
}

}  // namespace torch_t5
