#include "engine/log_probs.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/topk.h>

#include <string>
#include <tuple>

#include "core/errors.h"

namespace torch_t5 {

at::Tensor gatherLogProbs(const at::Tensor& logits, const at::Tensor& ids) {
  return at::gather(at::log_softmax(logits, -1), -1, ids);
}

TokenLogProbs tokenLogProbs(const at::Tensor& logits, const at::Tensor& tokens, std::int64_t count) {
  if (count > logits.size(-1)) throw invalidArgument("at most " + std::to_string(logits.size(-1)), "logProbs", count);
  const at::Tensor indices =
      count == 0 ? at::empty({logits.size(0), 0}, tokens.options()) : std::get<1>(at::topk(logits, count));
  const at::Tensor logProbs = gatherLogProbs(logits, at::cat({tokens.unsqueeze(1), indices}, 1));
  return {logProbs.select(1, 0), logProbs.slice(1, 1), indices};
}

}  // namespace torch_t5
