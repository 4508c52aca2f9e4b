// Forbids tokens, or all others.
#include <ATen/ops/arange.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/isin.h>
#include <ATen/ops/where.h>

#include <limits>

#include "generation/logits_processor.h"

namespace torch_t5 {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

at::Tensor without(const at::Tensor& scores, const at::Tensor& ids) {
  const at::Tensor vocabulary = at::arange(scores.size(-1), ids.options());
  return at::where(at::isin(vocabulary, ids), kMinusInfinity, scores);
}

}  // namespace

LogitsProcessor suppressBelow(std::int64_t length, at::Tensor ids) {
  return [length, ids = std::move(ids)](const at::Tensor& sequences, const at::Tensor& scores) {
    return sequences.size(1) < length ? without(scores, ids) : scores;
  };
}

LogitsProcessor suppressAt(std::int64_t length, at::Tensor ids) {
  return [length, ids = std::move(ids)](const at::Tensor& sequences, const at::Tensor& scores) {
    return sequences.size(1) == length ? without(scores, ids) : scores;
  };
}

LogitsProcessor suppress(at::Tensor ids) {
  return [ids = std::move(ids)](const at::Tensor&, const at::Tensor& scores) { return without(scores, ids); };
}

LogitsProcessor forceAt(std::int64_t length, at::Tensor ids) {
  return [length, ids = std::move(ids)](const at::Tensor& sequences, const at::Tensor& scores) {
    if (sequences.size(1) != length) return scores;
    return at::full_like(scores, kMinusInfinity).index_fill(1, ids, 0);
  };
}

LogitsProcessor removeInvalidValues() {
  return [](const at::Tensor&, const at::Tensor& scores) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const at::Tensor noNan = at::where(scores != scores, 0.0, scores);
    const at::Tensor bounded = at::where(scores == kInfinity, std::numeric_limits<float>::max(), noNan);
    return at::where(scores == -kInfinity, std::numeric_limits<float>::lowest(), bounded);
  };
}

}  // namespace torch_t5
