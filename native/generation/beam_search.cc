#include "generation/beam_search.h"

#include <ATen/ops/all.h>
#include <ATen/ops/any.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/take_along_dim.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/errors.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

// Lower than any sum of log-probabilities, but finite: Hugging Face's value.
constexpr double kExcluded = -1.0e9;
constexpr std::int64_t kNoBeam = -1;

/// Beams `indices` [rows, m] of a tensor [rows, n, ...].
at::Tensor gatherBeams(const at::Tensor& tensor, at::Tensor indices) {
  while (indices.dim() < tensor.dim()) indices = indices.unsqueeze(-1);
  return at::take_along_dim(tensor, indices, 1);
}

/// A tensor [rows, n, length] with the column [rows, n] appended.
at::Tensor extend(const at::Tensor& tensor, const at::Tensor& column) {
  return at::cat({tensor, column.unsqueeze(-1)}, -1);
}

/// An addend for scores: 0 where `kept`, else a value that excludes them.
at::Tensor excludeUnless(const at::Tensor& kept) { return kept.logical_not().to(at::kFloat) * kExcluded; }

}  // namespace

BeamSearch::BeamSearch(const SearchInputs& inputs)
    : Search(inputs),
      rows_(sourceRows()),
      numBeams_(options().numBeams),
      beamsToKeep_(std::max<std::int64_t>(2, 1 + static_cast<std::int64_t>(options().eosTokenIds.size())) * numBeams_) {
  const at::TensorOptions ids = sequences().options();
  const at::TensorOptions floats = ids.dtype(at::kFloat);
  running_.sequences = sequences().view({rows_, numBeams_, promptLength()});
  running_.indices = at::full({rows_, numBeams_, 0}, kNoBeam, ids.dtype(at::kInt));
  // All beams start with the same sequence, so only the first of them may be continued.
  running_.scores = at::zeros({rows_, numBeams_}, floats);
  running_.scores.slice(1, 1).fill_(kExcluded);
  finished_ = {running_.sequences, running_.indices, at::full({rows_, numBeams_}, kExcluded, floats)};
  finishReasons_ = at::zeros({rows_, numBeams_}, ids);
  isImprovable_ = at::ones({rows_, 1}, ids.dtype(at::kBool));
}

at::Tensor BeamSearch::toScores(const at::Tensor& logits) const { return at::log_softmax(logits, -1); }

void BeamSearch::selectTokens(const at::Tensor& scores) {
  const std::int64_t length = sequences().size(1) + 1;
  Beams continuations = topContinuations(scores);
  const at::Tensor reasons = finishReasonsOf(continuations.sequences.flatten(0, 1)).view({rows_, beamsToKeep_});
  updateRunning(continuations, reasons);
  updateFinished(std::move(continuations), reasons, length);
  checkEarlyStop(length);
  checkSamples();
  if (!hasUnfinished(reasons)) setDone();
  const at::Tensor decodedRows = running_.indices.select(2, -1).flatten();
  continueWith(running_.sequences.flatten(0, 1), decodedRows.to(at::kLong));
}

BeamSearch::Beams BeamSearch::topContinuations(const at::Tensor& scores) {
  const std::int64_t vocabSize = scores.size(-1);
  if (beamsToKeep_ > numBeams_ * vocabSize) {
    throw Error(ErrorCode::kInvalidArgument, "Expected at most " + std::to_string(vocabSize - 1) +
                                                 " ids for eosTokenId with beams but received " +
                                                 std::to_string(options().eosTokenIds.size()));
  }
  const at::Tensor accumulated =
      (scores.view({rows_, numBeams_, vocabSize}) + running_.scores.unsqueeze(-1)).view({rows_, -1});
  at::Tensor best;
  at::Tensor indices;
  if (options().doSample) {
    indices = sample(accumulated, beamsToKeep_);
    best = at::gather(accumulated, 1, indices);
  } else {
    std::tie(best, indices) = at::topk(accumulated, beamsToKeep_);
  }
  const at::Tensor beams = indices.div(vocabSize, "floor");
  const at::Tensor firstRows = at::arange(rows_, beams.options()).view({-1, 1}) * numBeams_;
  const at::Tensor decodedRows = (beams + firstRows).to(at::kInt);
  return {extend(gatherBeams(running_.sequences, beams), indices.remainder(vocabSize)),
          extend(gatherBeams(running_.indices, beams), decodedRows), best};
}

void BeamSearch::updateRunning(const Beams& continuations, const at::Tensor& reasons) {
  const at::Tensor scores = continuations.scores + excludeUnless(reasons == 0);
  const at::Tensor next = std::get<1>(at::topk(scores, numBeams_));
  running_ = {gatherBeams(continuations.sequences, next), gatherBeams(continuations.indices, next),
              gatherBeams(scores, next)};
}

void BeamSearch::updateFinished(Beams continuations, const at::Tensor& reasons, std::int64_t length) {
  // Only the best `numBeams` continuations may finish. The others replace them among the running beams.
  const at::Tensor justFinished =
      (reasons != 0) & (at::arange(beamsToKeep_, Search::sequences().options()) < numBeams_).unsqueeze(0);
  const double generated = static_cast<double>(length - promptLength());
  at::Tensor scores = continuations.scores / std::pow(generated, options().lengthPenalty);
  if (options().earlyStopping == EarlyStopping::kTrue) {
    scores = scores + excludeUnless(at::all(finishReasons_ != 0, 1, /*keepdim=*/true).logical_not());
  }
  scores = scores + excludeUnless(isImprovable_);
  scores = scores + excludeUnless(justFinished);
  const at::Tensor allScores = at::cat({finished_.scores, scores}, 1);
  const at::Tensor best = std::get<1>(at::topk(allScores, numBeams_));
  const at::Tensor sequences = extend(finished_.sequences, at::full({rows_, numBeams_}, fillId(), best.options()));
  const at::Tensor indices =
      extend(finished_.indices, at::full({rows_, numBeams_}, kNoBeam, finished_.indices.options()));
  finished_ = {gatherBeams(at::cat({sequences, continuations.sequences}, 1), best),
               gatherBeams(at::cat({indices, continuations.indices}, 1), best), gatherBeams(allScores, best)};
  finishReasons_ = gatherBeams(at::cat({finishReasons_, reasons * justFinished}, 1), best);
}

/// The id that follows the end of a sequence: the pad id, or, as in Hugging Face, the first end id if the pad id is 0.
std::int64_t BeamSearch::fillId() const {
  const bool usesEosTokenId = options().padTokenId == 0 && !options().eosTokenIds.empty();
  return usesEosTokenId ? options().eosTokenIds.front() : options().padTokenId;
}

/// Hugging Face's `_check_early_stop_heuristic`. `length`: of the sequences after this step.
void BeamSearch::checkEarlyStop(std::int64_t length) {
  const double penalty = options().lengthPenalty;
  const bool assumesMaxLength = options().earlyStopping == EarlyStopping::kNever && penalty > 0;
  const std::int64_t bestLength = (assumesMaxLength ? options().maxLength : length) - promptLength();
  const at::Tensor bestPossible = running_.scores.slice(1, 0, 1) / std::pow(static_cast<double>(bestLength), penalty);
  const at::Tensor worst = std::get<0>(finished_.scores.min(1, /*keepdim=*/true));
  const at::Tensor worstFinished = at::where(finishReasons_ != 0, worst, kExcluded);
  isImprovable_ = isImprovable_ & at::any(bestPossible > worstFinished, -1, /*keepdim=*/true);
}

/// Hugging Face's `_beam_search_has_unfinished_sequences`.
bool BeamSearch::hasUnfinished(const at::Tensor& reasons) const {
  const bool improvable = isImprovable_.any().item<bool>();
  const bool full = options().earlyStopping == EarlyStopping::kTrue && (finishReasons_ != 0).all().item<bool>();
  return improvable && !full && !(reasons != 0).all().item<bool>();
}

at::Tensor BeamSearch::finishReasons() const {
  return finishReasons_.slice(1, 0, options().numReturnSequences).flatten();
}

void BeamSearch::fill(GenerateResult& result, ResultCopies& copies) {
  const std::int64_t returned = options().numReturnSequences;
  const at::Tensor indices = finished_.indices.slice(1, 0, returned).flatten(0, 1);
  result.lengths = toVector((indices >= 0).sum(1));
  const std::int64_t generated = std::ranges::max(result.lengths);
  result.sequences = finished_.sequences.slice(1, 0, returned).flatten(0, 1).slice(1, 0, promptLength() + generated);
  const at::Tensor beamIndices = indices.slice(1, 0, generated);
  result.beamIndices = copies.add(beamIndices, at::kInt);
  if (!options().returnScores) return;
  result.sequenceScores = copies.add(finished_.scores.slice(1, 0, returned).flatten(0, 1), at::kFloat);
  result.transitionScores = copies.add(transitionScores(result.sequences, beamIndices), at::kFloat);
}

/// The processed score of every chosen id, 0 after the end: Hugging Face's `compute_transition_scores`.
at::Tensor BeamSearch::transitionScores(const at::Tensor& sequences, const at::Tensor& beamIndices) const {
  const std::int64_t generated = beamIndices.size(1);
  at::Tensor chosen = at::zeros({beamIndices.size(0), generated}, finished_.scores.options().dtype(at::kFloat));
  for (std::int64_t step = 0; step < generated; ++step) {
    const at::Tensor beams = beamIndices.select(1, step).to(at::kLong);
    const at::Tensor tokens = sequences.select(1, promptLength() + step).clamp_min(0);
    const at::Tensor scores = this->scores()[static_cast<std::size_t>(step)];
    const at::Tensor flat = beams.clamp_min(0) * scores.size(1) + tokens;
    chosen.select(1, step).copy_(at::where(beams >= 0, scores.take(flat), 0.0));
  }
  return chosen;
}

}  // namespace torch_t5
