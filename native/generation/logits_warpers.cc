// The warpers. A warper that removes tokens always keeps the best `minTokensToKeep`.
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

#include "generation/logits_processors.h"

namespace torch_t5 {
namespace {

at::Tensor remove(const at::Tensor& scores, const at::Tensor& removed) {
  return scores.masked_fill(removed, -std::numeric_limits<double>::infinity());
}

/// The `count`-th largest score of each row [rows, 1].
at::Tensor lowestOfTop(const at::Tensor& scores, std::int64_t count) {
  const std::int64_t k = std::min(count, scores.size(-1));
  return std::get<0>(at::topk(scores, k)).slice(-1, k - 1);
}

/// Converts a mask over sorted scores to one over unsorted scores. `indices`: as `at::sort` returned them.
at::Tensor unsort(const at::Tensor& mask, const at::Tensor& indices) { return at::scatter(mask, 1, indices, mask); }

/// torch.distributions.Categorical(logits=scores).entropy().
at::Tensor entropyOf(const at::Tensor& scores) {
  const at::Tensor logits = scores - at::logsumexp(scores, at::IntArrayRef{-1}, /*keepdim=*/true);
  const at::Tensor bounded = at::clamp_min(logits, std::numeric_limits<float>::lowest());
  return -(bounded * at::softmax(logits, -1)).sum(-1);
}

LogitsProcessor temperatureLogitsWarper(double temperature) {
  return [temperature](const at::Tensor&, const at::Tensor& scores) { return scores / temperature; };
}

LogitsProcessor topKLogitsWarper(std::int64_t topK, std::int64_t minTokensToKeep) {
  return [count = std::max(topK, minTokensToKeep)](const at::Tensor&, const at::Tensor& scores) {
    return remove(scores, scores < lowestOfTop(scores, count));
  };
}

LogitsProcessor topPLogitsWarper(double topP, std::int64_t minTokensToKeep) {
  return [topP, minTokensToKeep](const at::Tensor&, const at::Tensor& scores) {
    const auto [sorted, indices] = at::sort(scores, -1, /*descending=*/false);
    at::Tensor removed = at::cumsum(at::softmax(sorted, -1), -1) <= (1 - topP);
    removed.slice(-1, -minTokensToKeep).fill_(false);
    return remove(scores, unsort(removed, indices));
  };
}

LogitsProcessor minPLogitsWarper(double minP, std::int64_t minTokensToKeep) {
  return [minP, minTokensToKeep](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor probabilities = at::softmax(scores, -1);
    at::Tensor removed = probabilities < at::amax(probabilities, at::IntArrayRef{-1}, /*keepdim=*/true) * minP;
    const std::int64_t k = std::min(minTokensToKeep, scores.size(-1));
    removed.scatter_(-1, std::get<1>(at::topk(probabilities, k)), false);
    return remove(scores, removed);
  };
}

LogitsProcessor typicalLogitsWarper(double mass, std::int64_t minTokensToKeep) {
  return [mass, minTokensToKeep](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor normalized = at::log_softmax(scores, -1);
    const at::Tensor entropy = -at::nansum(normalized * at::exp(normalized), at::IntArrayRef{-1}, /*keepdim=*/true);
    const auto [sorted, indices] = at::sort(at::abs(-normalized - entropy), -1, /*descending=*/false);
    const at::Tensor cumulative = at::cumsum(at::softmax(at::gather(scores, -1, indices), -1), -1);
    const at::Tensor last = at::clamp_max((cumulative < mass).sum(1), sorted.size(-1) - 1);
    at::Tensor removed = sorted > at::gather(sorted, 1, last.view({-1, 1}));
    removed.slice(-1, 0, minTokensToKeep).fill_(false);
    return remove(scores, unsort(removed, indices));
  };
}

LogitsProcessor epsilonLogitsWarper(double epsilon, std::int64_t minTokensToKeep) {
  return [epsilon, minTokensToKeep](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor unlikely = at::softmax(scores, -1) < epsilon;
    return remove(scores, unlikely & (scores < lowestOfTop(scores, minTokensToKeep)));
  };
}

LogitsProcessor etaLogitsWarper(double epsilon, std::int64_t minTokensToKeep) {
  return [epsilon, minTokensToKeep](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor bound = at::full({}, epsilon, scores.options());
    const at::Tensor eta = at::minimum(bound, at::sqrt(bound) * at::exp(-entropyOf(scores))).unsqueeze(-1);
    return remove(scores, (at::softmax(scores, -1) < eta) & (scores < lowestOfTop(scores, minTokensToKeep)));
  };
}

LogitsProcessor logitNormalization() {
  return [](const at::Tensor&, const at::Tensor& scores) { return at::log_softmax(scores, -1); };
}

/// Each beam needs one token more than there are end ids, so that it can be continued.
std::int64_t minTokensToKeepFor(const GenerateOptions& options) {
  if (options.numBeams == 1) return 1;
  return options.eosTokenIds.empty() ? 2 : static_cast<std::int64_t>(options.eosTokenIds.size()) + 1;
}

}  // namespace

std::vector<LogitsProcessor> makeLogitsWarpers(const GenerateOptions& options) {
  std::vector<LogitsProcessor> list;
  if (options.doSample) {
    const std::int64_t minTokensToKeep = minTokensToKeepFor(options);
    if (options.temperature != 1) list.push_back(temperatureLogitsWarper(options.temperature));
    if (options.topK != 0) list.push_back(topKLogitsWarper(options.topK, minTokensToKeep));
    if (options.topP < 1) list.push_back(topPLogitsWarper(options.topP, minTokensToKeep));
    if (options.minP) list.push_back(minPLogitsWarper(*options.minP, minTokensToKeep));
    if (options.typicalP < 1) list.push_back(typicalLogitsWarper(options.typicalP, minTokensToKeep));
    if (options.epsilonCutoff > 0 && options.epsilonCutoff < 1)
      list.push_back(epsilonLogitsWarper(options.epsilonCutoff, minTokensToKeep));
    if (options.etaCutoff > 0 && options.etaCutoff < 1)
      list.push_back(etaLogitsWarper(options.etaCutoff, minTokensToKeep));
  }
  if (options.renormalizeLogits) list.push_back(logitNormalization());
  return list;
}

}  // namespace torch_t5
