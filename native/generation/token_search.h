// One sequence a row: greedy search, or sampling. transformers' `GenerationMixin._sample`.
#pragma once

#include "generation/search.h"

namespace torch_t5 {

class TokenSearch final : public Search {
 public:
  explicit TokenSearch(const SearchStart& start);

 private:
  at::Tensor toScores(const at::Tensor& logits) const override { return logits; }
  void select(const at::Tensor& scores) override;
  void complete(GenerateResult& result) override;

  at::Tensor unfinished_;  // int64 [rows]: 1 while a sequence goes on
};

}  // namespace torch_t5
