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

// Worse than any sum of log-probabilities, and yet finite: Hugging Face's value.
constexpr double kOut = -1.0e9;
constexpr std::int64_t kNoBeam = -1;

/// [rows, n, ...] by indices [rows, m] along the second axis.
at::Tensor gatherBeams(const at::Tensor& tensor, at::Tensor indices) {
  while (indices.dim() < tensor.dim()) indices = indices.unsqueeze(-1);
  return at::take_along_dim(tensor, indices, 1);
}

/// [rows, n, length] with one column more, [rows, n].
at::Tensor extend(const at::Tensor& tensor, const at::Tensor& column) {
  return at::cat({tensor, column.unsqueeze(-1)}, -1);
}

/// 0 where `stays`, else a value that no score survives.
at::Tensor outUnless(const at::Tensor& stays) { return stays.logical_not().to(at::kFloat) * kOut; }

}  // namespace

BeamSearch::BeamSearch(const SearchStart& start)
    : Search(start),
      rows_(sourceRows()),
      numBeams_(options().numBeams),
      candidates_(std::max<std::int64_t>(2, 1 + static_cast<std::int64_t>(options().eosTokenIds.size())) * numBeams_) {
  const at::TensorOptions ids = sequences().options();
  const at::TensorOptions floats = ids.dtype(at::kFloat);
  running_.sequences = sequences().view({rows_, numBeams_, promptLength()});
  running_.indices = at::full({rows_, numBeams_, 0}, kNoBeam, ids.dtype(at::kInt));
  // At first all beams are the same: only one of them may be continued.
  running_.scores = at::zeros({rows_, numBeams_}, floats);
  running_.scores.slice(1, 1).fill_(kOut);
  finished_ = {running_.sequences, running_.indices, at::full({rows_, numBeams_}, kOut, floats)};
  isFinished_ = at::zeros({rows_, numBeams_}, ids.dtype(at::kBool));
  mayImprove_ = at::ones({rows_, 1}, ids.dtype(at::kBool));
}

at::Tensor BeamSearch::toScores(const at::Tensor& logits) const { return at::log_softmax(logits, -1); }

void BeamSearch::select(const at::Tensor& scores) {
  const std::int64_t length = sequences().size(1);
  Beams continuations = bestContinuations(scores);
  const at::Tensor isComplete = Search::isComplete(continuations.sequences.flatten(0, 1)).view({rows_, candidates_});
  updateRunning(continuations, isComplete);
  updateFinished(std::move(continuations), isComplete, length);
  if (!goesOn(isComplete, length + 1)) end();
  const at::Tensor decodedRows = running_.indices.select(2, -1).flatten();
  continueWith(running_.sequences.flatten(0, 1), decodedRows.to(at::kLong));
}

BeamSearch::Beams BeamSearch::bestContinuations(const at::Tensor& scores) {
  const std::int64_t vocabSize = scores.size(-1);
  if (candidates_ > numBeams_ * vocabSize) {
    throw Error(ErrorCode::kInvalidArgument, "Expected at most " + std::to_string(vocabSize - 1) +
                                                 " ids for eosTokenId with beams but received " +
                                                 std::to_string(options().eosTokenIds.size()));
  }
  const at::Tensor accumulated =
      (scores.view({rows_, numBeams_, vocabSize}) + running_.scores.unsqueeze(-1)).view({rows_, -1});
  at::Tensor best;
  at::Tensor indices;
  if (options().doSample) {
    indices = sample(accumulated, candidates_);
    best = at::gather(accumulated, 1, indices);
  } else {
    std::tie(best, indices) = at::topk(accumulated, candidates_);
  }
  const at::Tensor beams = indices.div(vocabSize, "floor");
  const at::Tensor firstRows = at::arange(rows_, beams.options()).view({-1, 1}) * numBeams_;
  const at::Tensor decodedRows = (beams + firstRows).to(at::kInt);
  return {extend(gatherBeams(running_.sequences, beams), indices.remainder(vocabSize)),
          extend(gatherBeams(running_.indices, beams), decodedRows), best};
}

void BeamSearch::updateRunning(const Beams& continuations, const at::Tensor& isComplete) {
  const at::Tensor scores = continuations.scores + isComplete.to(at::kFloat) * kOut;
  const at::Tensor next = std::get<1>(at::topk(scores, numBeams_));
  running_ = {gatherBeams(continuations.sequences, next), gatherBeams(continuations.indices, next),
              gatherBeams(scores, next)};
}

void BeamSearch::updateFinished(Beams continuations, const at::Tensor& isComplete, std::int64_t length) {
  // Only the best `numBeams` may end: the others are there to go on with.
  const at::Tensor justFinished =
      isComplete & (at::arange(candidates_, Search::sequences().options()) < numBeams_).unsqueeze(0);
  const double generated = static_cast<double>(length + 1 - promptLength());
  at::Tensor scores = continuations.scores / std::pow(generated, options().lengthPenalty);
  if (options().earlyStopping == EarlyStopping::kTrue) {
    scores = scores + outUnless(at::all(isFinished_, 1, /*keepdim=*/true).logical_not());
  }
  scores = scores + outUnless(mayImprove_);
  scores = scores + outUnless(justFinished);
  const at::Tensor allScores = at::cat({finished_.scores, scores}, 1);
  const at::Tensor best = std::get<1>(at::topk(allScores, numBeams_));
  const at::Tensor sequences = extend(finished_.sequences, at::full({rows_, numBeams_}, fill(), best.options()));
  const at::Tensor indices =
      extend(finished_.indices, at::full({rows_, numBeams_}, kNoBeam, finished_.indices.options()));
  finished_ = {gatherBeams(at::cat({sequences, continuations.sequences}, 1), best),
               gatherBeams(at::cat({indices, continuations.indices}, 1), best), gatherBeams(allScores, best)};
  isFinished_ = gatherBeams(at::cat({isFinished_, justFinished}, 1), best);
}

/// What stands behind a sequence's end: the pad id, or, as in Hugging Face, the end id where that is 0.
std::int64_t BeamSearch::fill() const {
  const bool fillsWithEnd = options().padTokenId == 0 && !options().eosTokenIds.empty();
  return fillsWithEnd ? options().eosTokenIds.front() : options().padTokenId;
}

/// Whether to go on, with sequences that are `length` long now.
bool BeamSearch::goesOn(const at::Tensor& isComplete, std::int64_t length) {
  const double penalty = options().lengthPenalty;
  const bool hopesForLongest = options().earlyStopping == EarlyStopping::kNever && penalty > 0;
  const std::int64_t hoped = (hopesForLongest ? options().maxLength : length) - promptLength();
  const at::Tensor bestPossible = running_.scores.slice(1, 0, 1) / std::pow(static_cast<double>(hoped), penalty);
  const at::Tensor worst = std::get<0>(finished_.scores.min(1, /*keepdim=*/true));
  const at::Tensor worstFinished = at::where(isFinished_, worst, kOut);
  mayImprove_ = mayImprove_ & at::any(bestPossible > worstFinished, -1, /*keepdim=*/true);
  const bool improvable = mayImprove_.any().item<bool>();
  const bool full = options().earlyStopping == EarlyStopping::kTrue && isFinished_.all().item<bool>();
  return improvable && !full && !isComplete.all().item<bool>();
}

void BeamSearch::complete(GenerateResult& result) {
  const std::int64_t returned = options().numReturnSequences;
  const at::Tensor indices = finished_.indices.slice(1, 0, returned).flatten(0, 1);
  const std::int64_t generated = (indices >= 0).sum(1).max().item<std::int64_t>();
  result.sequences = finished_.sequences.slice(1, 0, returned).flatten(0, 1).slice(1, 0, promptLength() + generated);
  result.beamIndices = owned(indices.slice(1, 0, generated), at::kInt);
  if (!options().returnScores) return;
  result.sequenceScores = owned(finished_.scores.slice(1, 0, returned).flatten(0, 1), at::kFloat);
  result.transitionScores = owned(transitionScores(result), at::kFloat);
}

/// The processed score of every id that was chosen, 0 behind the end: `compute_transition_scores`.
at::Tensor BeamSearch::transitionScores(const GenerateResult& result) const {
  const std::int64_t generated = result.beamIndices.size(1);
  at::Tensor chosen = at::zeros({result.beamIndices.size(0), generated}, at::kFloat);
  for (std::int64_t step = 0; step < generated; ++step) {
    const at::Tensor beams = result.beamIndices.select(1, step).to(sequences().device(), at::kLong);
    const at::Tensor tokens = result.sequences.select(1, promptLength() + step).clamp_min(0);
    const at::Tensor scores = this->scores()[static_cast<std::size_t>(step)];
    const at::Tensor flat = beams.clamp_min(0) * scores.size(1) + tokens;
    chosen.select(1, step).copy_(at::where(beams >= 0, scores.take(flat), 0.0));
  }
  return chosen;
}

}  // namespace torch_t5
