#include "generation/token_search.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>

#include "engine/tensors.h"

namespace torch_t5 {

TokenSearch::TokenSearch(const SearchStart& start)
    : Search(start), unfinished_(at::ones({sequences().size(0)}, sequences().options())) {}

void TokenSearch::select(const at::Tensor& scores) {
  at::Tensor tokens = options().doSample ? sample(scores, 1).squeeze(1) : at::argmax(scores, -1);
  if (options().padTokenId >= 0) tokens = tokens * unfinished_ + options().padTokenId * (1 - unfinished_);
  continueWith(at::cat({sequences(), tokens.unsqueeze(1)}, -1));
  unfinished_ = unfinished_ * isComplete(sequences()).logical_not();
  if (!unfinished_.any().item<bool>()) end();
}

void TokenSearch::complete(GenerateResult& result) {
  result.sequences = sequences();
  if (!options().returnScores) return;
  std::vector<at::Tensor> chosen;
  for (std::size_t step = 0; step < scores().size(); ++step) {
    const at::Tensor tokens = sequences().slice(1, promptLength() + static_cast<std::int64_t>(step)).slice(1, 0, 1);
    chosen.push_back(at::gather(scores()[step], 1, tokens).squeeze(1));
  }
  result.transitionScores = owned(at::stack(chosen, 1), at::kFloat);
}

}  // namespace torch_t5
