#include "generation/shared_greedy.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "generation/logits_processors.h"

namespace torch_t5 {
namespace {

/// Whether anything but the highest logit and the end ids decides.
bool readsScores(const GenerateOptions& options) {
  // Those of the encoder's ids first, which the next lines do not have.
  if (options.encoderRepetitionPenalty != 1 || options.encoderNoRepeatNgramSize > 0) return true;
  if (options.doSample || options.observesSteps() || options.renormalizeLogits) return true;
  const EncoderOutput none{at::tensor(std::vector<std::int64_t>{}, at::kLong), {}, {}};
  return !makeLogitsProcessors(options, none, /*promptLength=*/1).empty();
}

/// The ids up to the first end id of each row, which is counted.
std::int64_t lengthOf(const at::Tensor& row, const std::vector<std::int32_t>& ends) {
  const auto* begin = row.const_data_ptr<std::int64_t>();
  const auto* end = begin + row.size(0);
  const auto* found = std::find_first_of(begin, end, ends.begin(), ends.end());
  return found == end ? row.size(0) : found - begin + 1;
}

}  // namespace

bool sharesSteps(const SharedEngine& engine, const GenerateRequest& request) {
  const GenerateOptions& options = request.options;
  if (request.targetLength != 1 || options.rowsPerSource() != 1) return false;
  if (options.maxTime.has_value() || !options.stopStrings.empty()) return false;
  if (!engine.sharesGreedySearches(static_cast<std::int64_t>(request.decoderInputIds.size()))) return false;
  return !readsScores(options);
}

Task<GenerateResult> runSharedGreedy(SharedEngine& engine, std::shared_ptr<const GenerateRequest> request) {
  const GenerateOptions& options = request->options;
  GreedySearch search;
  search.ids.assign(request->decoderInputIds.begin(), request->decoderInputIds.end());
  search.maxTokens = options.maxLength - 1;
  search.eosTokenIds = options.eosTokenIds;
  search.padTokenId = options.padTokenId;
  if (const auto* ids = std::get_if<SourceIds>(&request->source)) {
    SourceTensors tensors = toTensors(*ids, at::kCPU);
    search.lastHiddenState = co_await engine.encode(tensors.inputIds, tensors.attentionMask);
    search.attentionMask = std::move(tensors.attentionMask);
  } else {
    const EncoderOutput& encoded = *std::get<std::shared_ptr<const EncoderOutput>>(request->source);
    search.lastHiddenState = encoded.lastHiddenState;
    search.attentionMask = encoded.attentionMask.to(at::kCPU);
  }
  const at::Tensor added = co_await engine.searchGreedily(search);
  GenerateResult result;
  for (std::int64_t row = 0; row < added.size(0); ++row) {
    const at::Tensor ids = added[row];
    const std::int64_t length = lengthOf(ids, options.eosTokenIds);
    const std::int64_t last = ids[length - 1].item<std::int64_t>();
    const bool hasEnd = std::ranges::find(options.eosTokenIds, last) != options.eosTokenIds.end();
    result.lengths.push_back(length);
    result.finishReasons.push_back(hasEnd ? FinishReason::kEos : FinishReason::kLength);
  }
  result.sequences = at::cat({at::tensor(search.ids, at::kLong).unsqueeze(1), added}, 1).to(at::kInt);
  co_return result;
}

}  // namespace torch_t5
