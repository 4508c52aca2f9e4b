// Beam search and beam sampling: transformers' `GenerationMixin._beam_search`, with the same operators on the same
// tensors, because libtorch's topk decides between equal scores. Unlike in transformers, sequences grow by one id per
// step instead of having `maxLength` ids from the start.
#pragma once

#include "generation/search.h"

namespace torch_t5 {

/// The first step throws ERR_INVALID_ARGUMENT if the vocabulary is too small for the number of end ids.
class BeamSearch final : public Search {
 public:
  explicit BeamSearch(const SearchInputs& inputs);

  at::Tensor finishReasons() const override;

 private:
  struct Beams {
    at::Tensor sequences;  // [rows, beams, length] int64
    at::Tensor indices;    // [rows, beams, generated] int32: the decoded row that each id was chosen for
    at::Tensor scores;     // [rows, beams]: sums of log-probabilities; for finished beams with the length penalty
  };

  at::Tensor toScores(const at::Tensor& logits) const override;
  void selectTokens(const at::Tensor& scores) override;
  void fill(GenerateResult& result, ResultCopies& copies) override;

  Beams topContinuations(const at::Tensor& scores);
  void updateRunning(const Beams& continuations, const at::Tensor& reasons);
  void updateFinished(Beams continuations, const at::Tensor& reasons, std::int64_t length);
  void checkEarlyStop(std::int64_t length);
  bool hasUnfinished(const at::Tensor& reasons) const;
  std::int64_t fillId() const;
  at::Tensor transitionScores(const at::Tensor& sequences, const at::Tensor& beamIndices) const;

  std::int64_t rows_;
  std::int64_t numBeams_;
  std::int64_t beamsToKeep_;  // continuations per row: enough that `numBeams` remain if the others end
  Beams running_;
  Beams finished_;
  at::Tensor finishReasons_;  // int64 [rows, beams]: of `finished_`; 0 for a beam that holds no sequence yet
  at::Tensor isImprovable_;   // bool [rows, 1]: whether a running beam may still beat the finished ones
};

}  // namespace torch_t5
