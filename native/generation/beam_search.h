// Several sequences a row, side by side: beam search, or beam sampling. transformers' `GenerationMixin._beam_search`,
// step by step and tensor by tensor, because what breaks ties there is what libtorch's topk does.
#pragma once

#include "generation/search.h"

namespace torch_t5 {

class BeamSearch final : public Search {
 public:
  /// Throws ERR_INVALID_ARGUMENT for more beams than the vocabulary has continuations, at the first step.
  explicit BeamSearch(const SearchStart& start);

 private:
  struct Beams {
    at::Tensor sequences;  // [rows, beams, length] int64
    at::Tensor indices;    // [rows, beams, generated] int32: the decoded row that each id was chosen for
    at::Tensor scores;     // [rows, beams]: summed log-probabilities; of finished ones with the length penalty
  };

  at::Tensor toScores(const at::Tensor& logits) const override;
  void select(const at::Tensor& scores) override;
  void complete(GenerateResult& result) override;

  Beams bestContinuations(const at::Tensor& scores);
  void updateRunning(const Beams& continuations, const at::Tensor& isComplete);
  void updateFinished(Beams continuations, const at::Tensor& isComplete, std::int64_t length);
  bool goesOn(const at::Tensor& isComplete, std::int64_t length);
  std::int64_t fill() const;
  at::Tensor transitionScores(const GenerateResult& result) const;

  std::int64_t rows_;
  std::int64_t numBeams_;
  std::int64_t candidates_;  // continuations that are looked at per row: enough to go on when the best ones all end
  Beams running_;
  Beams finished_;
  at::Tensor isFinished_;  // bool [rows, beams]: whether a place of `finished_` is taken
  at::Tensor mayImprove_;  // bool [rows, 1]: whether a running beam may still beat the finished ones
};

}  // namespace torch_t5
