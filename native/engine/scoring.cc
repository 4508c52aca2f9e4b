#include "engine/scoring.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/cancellation.h"
#include "core/errors.h"
#include "core/interlude.h"
#include "engine/decoding.h"
#include "engine/log_probs.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

/// Targets `first` to `first + count - 1` of a request.
class TargetBatch {
 public:
  TargetBatch(const ScoreRequest& request, std::size_t first, std::size_t count, std::size_t offset)
      : request_(request), first_(first), count_(count), offset_(offset) {}

  std::int64_t maxLength() const {
    const auto begin = request_.targetLengths.begin() + static_cast<std::ptrdiff_t>(first_);
    return *std::max_element(begin, begin + static_cast<std::ptrdiff_t>(count_));
  }

  /// The decoder's input: each target shifted right after the start id, padded to the longest.
  at::Tensor decoderInputIds() const {
    const auto rows = static_cast<std::int64_t>(count_);
    at::Tensor ids = at::full({rows, maxLength()}, request_.padTokenId, at::kLong);
    auto values = ids.accessor<std::int64_t, 2>();
    std::size_t offset = offset_;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t length = lengthOf(row);
      values[row][0] = request_.decoderStartTokenId;
      for (std::int64_t position = 1; position < length; ++position)
        values[row][position] = request_.targetIds[offset + static_cast<std::size_t>(position) - 1];
      offset += static_cast<std::size_t>(length);
    }
    return ids;
  }

  /// Writes the log-probabilities of the batch's ids, from its logits [rows, maxLength, V].
  void gatherInto(const at::Tensor& logits, at::Tensor& logProbs) const {
    std::int64_t offset = static_cast<std::int64_t>(offset_);
    for (std::int64_t row = 0; row < static_cast<std::int64_t>(count_); ++row) {
      CancellationScope::check();
      InterludeScope::offer();
      const std::int64_t length = lengthOf(row);
      // One row at a time: the log-softmax of the whole batch would need as much memory as its logits.
      const at::Tensor rowLogits = logits.select(0, row).narrow(0, 0, length);
      const std::vector<std::int32_t> ids(request_.targetIds.begin() + offset,
                                          request_.targetIds.begin() + offset + length);
      const at::Tensor chosen = toTensor(ids, logits.device()).unsqueeze(-1);
      logProbs.narrow(0, offset, length).copy_(gatherLogProbs(rowLogits, chosen).squeeze(-1));
      offset += length;
    }
  }

 private:
  std::int64_t lengthOf(std::int64_t row) const {
    return request_.targetLengths[first_ + static_cast<std::size_t>(row)];
  }

  const ScoreRequest& request_;
  std::size_t first_;
  std::size_t count_;
  std::size_t offset_;  // of the batch's first id in targetIds
};

/// The encoder's rows for targets `first` to `first + count - 1`.
DecoderSource sourceOf(const std::shared_ptr<const EncoderOutput>& encoderOutput, std::int64_t first,
                       std::int64_t count) {
  if (encoderOutput->batch() == 1) return repeatRows(encoderOutput, count);
  return {encoderOutput, at::arange(first, first + count, encoderOutput->inputIds.options())};
}

void checkRows(const EncoderOutput& encoderOutput, std::size_t targets) {
  if (encoderOutput.batch() == 1 || static_cast<std::size_t>(encoderOutput.batch()) == targets) return;
  throw invalidArgument("one row, or one for each of the " + std::to_string(targets) + " targets,", "source",
                        encoderOutput.batch());
}

/// The sum or the mean of each target's log-probabilities.
at::Tensor toScores(const at::Tensor& logProbs, const ScoreRequest& request) {
  at::Tensor scores = at::empty({static_cast<std::int64_t>(request.targetLengths.size())}, at::kFloat);
  std::int64_t offset = 0;
  for (std::size_t target = 0; target < request.targetLengths.size(); ++target) {
    const std::int64_t length = request.targetLengths[target];
    const at::Tensor values = logProbs.narrow(0, offset, length);
    scores.select(0, static_cast<std::int64_t>(target)).copy_(request.mean ? values.mean() : values.sum());
    offset += length;
  }
  return scores;
}

}  // namespace

Task<ScoreResult> runScore(SharedEngine& engine, std::shared_ptr<const EncoderSource> source,
                           std::shared_ptr<const ScoreRequest> shared) {
  const ScoreRequest& request = *shared;
  const std::shared_ptr<const EncoderOutput> encoderOutput = co_await encodeIfNeeded(engine, *source);
  const std::size_t targets = request.targetLengths.size();
  checkRows(*encoderOutput, targets);
  at::Tensor logProbs = at::empty({static_cast<std::int64_t>(request.targetIds.size())}, at::kFloat);
  std::size_t offset = 0;
  for (std::size_t first = 0; first < targets; first += static_cast<std::size_t>(request.batchSize)) {
    const std::size_t count = std::min(static_cast<std::size_t>(request.batchSize), targets - first);
    const TargetBatch batch(request, first, count, offset);
    DecoderState state{sourceOf(encoderOutput, static_cast<std::int64_t>(first), static_cast<std::int64_t>(count)),
                       nullptr, 0};
    // The longest target needs all positions, and the log-softmax all tokens.
    const LogitsSelection all;
    const DecoderOutput decoded = co_await decode(engine, state, batch.decoderInputIds().to(engine.device()), all);
    batch.gatherInto(decoded.logits, logProbs);
    for (std::size_t target = first; target < first + count; ++target)
      offset += static_cast<std::size_t>(request.targetLengths[target]);
  }
  co_return ScoreResult{toScores(logProbs, request), logProbs};
}

}  // namespace torch_t5
