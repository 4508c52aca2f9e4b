#include "generation/search.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/all.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/isin.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "core/errors.h"
#include "core/requests.h"
#include "engine/libtorch_errors.h"
#include "engine/tensors.h"
#include "generation/beam_search.h"
#include "generation/shared_greedy.h"

namespace torch_t5 {
namespace {

/// Stands for a token after the end of a sequence.
constexpr std::int64_t kNoToken = -1;

TokenLogProbs copyLogProbs(TokenLogProbs logProbs, ResultCopies& copies) {
  return {copies.add(std::move(logProbs.chosen), at::kFloat), copies.add(std::move(logProbs.values), at::kFloat),
          copies.add(std::move(logProbs.indices), at::kInt)};
}

/// Greedy search or sampling, one sequence per row: transformers' `GenerationMixin._sample`.
class SampleSearch final : public Search {
 public:
  explicit SampleSearch(const SearchInputs& inputs)
      : Search(inputs),
        unfinished_(at::ones({sequences().size(0)}, sequences().options())),
        finishReasons_(at::zeros_like(unfinished_)),
        lengths_(at::zeros_like(unfinished_)) {}

  Task<bool> advance(SharedEngine& engine) override;
  Task<GenerateResult> run(SharedEngine& engine) override;
  at::Tensor finishReasons() const override { return finishReasons_; }

 private:
  Task<bool> runOnDevice(SharedEngine& engine);
  Task<bool> continueGreedily(SharedEngine& engine);
  at::Tensor toScores(const at::Tensor& logits) const override { return logits; }
  void selectTokens(const at::Tensor& scores) override;
  void fill(GenerateResult& result, ResultCopies& copies) override;

  void append(at::Tensor tokens);
  void addGreedyTokens(const at::Tensor& tokens);
  TokenLogProbs maskedLogProbs() const;

  // int64 [rows]
  at::Tensor unfinished_;     // 1 until a sequence ends, then 0
  at::Tensor finishReasons_;  // values of FinishReason
  at::Tensor lengths_;        // generated ids up to the end

  // A GPU computes steps after the host has enqueued them. So the host looks at the ends of sequences every few steps
  // only, and drops the steps after the last end.
  std::int64_t stepsPerLook_ = 1;
  std::int64_t stepsSinceLook_ = 0;
};

constexpr std::int64_t kStepsPerLook = 4;

Task<bool> SampleSearch::advance(SharedEngine& engine) {
  if (!choosesHighestLogits()) co_return co_await Search::advance(engine);
  at::Tensor tokens = co_await decodeToHighest(engine, unreadIds());
  append(std::move(tokens));
  co_return done();
}

void SampleSearch::selectTokens(const at::Tensor& scores) {
  append(options().doSample ? sample(scores, 1).squeeze(1) : at::argmax(scores, -1));
}

/// Appends the next ids [rows], and decides which sequences end with them.
void SampleSearch::append(at::Tensor tokens) {
  if (options().padTokenId >= 0) tokens = tokens * unfinished_ + options().padTokenId * (1 - unfinished_);
  continueWith(at::cat({sequences(), tokens.unsqueeze(1)}, -1));
  lengths_ = lengths_ + unfinished_;
  finishReasons_ = finishReasons_ + unfinished_ * finishReasonsOf(sequences());
  unfinished_ = (finishReasons_ == 0).to(at::kLong);
  if (++stepsSinceLook_ < stepsPerLook_ && sequences().size(1) < options().maxLength) return;
  stepsSinceLook_ = 0;
  checkSamples();
  if (!unfinished_.any().item<bool>()) setDone();
}

Task<GenerateResult> SampleSearch::run(SharedEngine& engine) {
  const bool isDone = co_await advance(engine);  // reads the prompt
  if (!isDone) {
    if (!engine.device().is_cpu()) {
      co_await runOnDevice(engine);
    } else if (choosesByLogits()) {
      co_await continueGreedily(engine);
    }
  }
  co_return co_await Search::run(engine);
}

/// Advances on a GPU until the search is done.
Task<bool> SampleSearch::runOnDevice(SharedEngine& engine) {
  if (choosesByLogits()) {
    const GreedyRequest request{
        sequences().select(1, sequences().size(1) - 1), unfinished_,           state().cache,
        options().maxLength - sequences().size(1),      options().eosTokenIds, options().padTokenId};
    const std::optional<at::Tensor> tokens = co_await engine.decodeGreedily(request);
    if (tokens.has_value()) {
      addGreedyTokens(*tokens);
      setDone();
      co_return true;
    }
  }
  stepsPerLook_ = kStepsPerLook;
  while (!done()) co_await advance(engine);
  keepSteps(lengths_.max().item<std::int64_t>());
  co_return true;
}

/// Advances a search that chooses by logits until it is done: the same as `selectTokens`, with fewer operators.
Task<bool> SampleSearch::continueGreedily(SharedEngine& engine) {
  const std::int64_t rows = sequences().size(0);
  const std::vector<std::int32_t>& ends = options().eosTokenIds;
  std::vector<std::int64_t> unfinished = toVector(unfinished_);
  std::vector<at::Tensor> steps;                      // each [rows, 1]
  at::Tensor ids = sequences().slice(1, -1).clone();  // [rows, 1]
  for (std::int64_t length = sequences().size(1); length < options().maxLength; ++length) {
    const at::Tensor highest = co_await decodeToHighest(engine, ids);
    const auto* tokens = highest.const_data_ptr<std::int64_t>();
    ids = at::empty({rows, 1}, ids.options());
    auto* next = ids.mutable_data_ptr<std::int64_t>();
    bool goesOn = false;
    for (std::int64_t row = 0; row < rows; ++row) {
      auto& isUnfinished = unfinished[static_cast<std::size_t>(row)];
      next[row] = isUnfinished == 0 && options().padTokenId >= 0 ? options().padTokenId : tokens[row];
      if (std::find(ends.begin(), ends.end(), next[row]) != ends.end()) isUnfinished = 0;
      goesOn = goesOn || isUnfinished != 0;
    }
    steps.push_back(ids);
    if (!goesOn) break;
  }
  addGreedyTokens(at::cat(steps, 1));
  setDone();
  co_return true;
}

/// Appends ids [rows, steps], with which all sequences end: by end ids, and by the maximum length.
void SampleSearch::addGreedyTokens(const at::Tensor& tokens) {
  continueWith(at::cat({sequences(), tokens}, 1));
  const at::Tensor areEnds = at::isin(tokens, toTensor(options().eosTokenIds, tokens.device()));
  const at::Tensor endsBefore = areEnds.cumsum(1) - areEnds.to(at::kLong);
  lengths_ = lengths_ + unfinished_ * (endsBefore == 0).sum(1);
  const at::Tensor reasons = at::where(areEnds.any(1), static_cast<std::int64_t>(FinishReason::kEos),
                                       at::full_like(unfinished_, static_cast<std::int64_t>(FinishReason::kLength)));
  finishReasons_ = finishReasons_ + unfinished_ * reasons;
}

void SampleSearch::fill(GenerateResult& result, ResultCopies& copies) {
  result.sequences = sequences();
  result.lengths = toVector(lengths_);
  if (!logProbs().empty()) result.logProbs = copyLogProbs(maskedLogProbs(), copies);
  if (!options().returnScores) return;
  std::vector<at::Tensor> chosen;
  for (std::size_t step = 0; step < scores().size(); ++step) {
    const at::Tensor tokens = sequences().slice(1, promptLength() + static_cast<std::int64_t>(step)).slice(1, 0, 1);
    chosen.push_back(at::gather(scores()[step], 1, tokens).squeeze(1));
  }
  result.transitionScores = copies.add(at::stack(chosen, 1), at::kFloat);
}

/// The log-probabilities of all steps, without those after the end of a sequence.
TokenLogProbs SampleSearch::maskedLogProbs() const {
  const auto stack = [this](at::Tensor TokenLogProbs::* member) {
    std::vector<at::Tensor> steps;
    for (const TokenLogProbs& step : logProbs()) steps.push_back(step.*member);
    return at::stack(steps, 1);
  };
  const auto steps = static_cast<std::int64_t>(logProbs().size());
  const at::Tensor isAfterEnd = at::arange(steps, lengths_.options()).unsqueeze(0) >= lengths_.unsqueeze(1);
  return {stack(&TokenLogProbs::chosen).masked_fill_(isAfterEnd, 0),
          stack(&TokenLogProbs::values).masked_fill_(isAfterEnd.unsqueeze(-1), 0),
          stack(&TokenLogProbs::indices).masked_fill_(isAfterEnd.unsqueeze(-1), kNoToken)};
}

at::Generator makeGenerator(const GenerateOptions& options, const at::Device& device) {
  if (!options.doSample) return {};
  at::Generator generator =
      device.is_cpu() ? at::detail::createCPUGenerator() : at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(options.seed);
  return generator;
}

Error tooFewTokens(std::int64_t count) {
  return {ErrorCode::kInvalidArgument, "Expected scores with at least " + std::to_string(count) +
                                           " possible tokens to sample from but the options, or the processor, left "
                                           "fewer, or made scores that are not numbers"};
}

void expectAtLeast(std::int64_t min, const char* name, std::int64_t received) {
  if (received >= min && received <= std::numeric_limits<std::int32_t>::max()) return;
  throw invalidArgument("an integer of at least " + std::to_string(min), name, received);
}

std::int64_t batchOf(const EncoderSource& source) {
  if (const auto* ids = std::get_if<SourceIds>(&source)) return ids->batch;
  return std::get<std::shared_ptr<const EncoderOutput>>(source)->batch();
}

}  // namespace

Search::Search(const SearchInputs& inputs)
    : options_(inputs.options),
      sourceRows_(inputs.encoderOutput->batch()),
      promptLength_(inputs.decoderInputIds.size(1)),
      processors_(makeLogitsProcessors(options_, *inputs.encoderOutput, promptLength_)),
      warpers_(makeLogitsWarpers(options_)),
      stoppingCriteria_(options_, inputs.texts, inputs.decoderInputIds.device()),
      generator_(makeGenerator(options_, inputs.decoderInputIds.device())),
      state_{repeatRows(inputs.encoderOutput, options_.rowsPerSource()), nullptr, 0},
      sequences_(at::repeat_interleave(inputs.decoderInputIds, options_.rowsPerSource(), 0)) {}

Task<at::Tensor> Search::prepare(SharedEngine& engine) {
  if (prepared_.defined()) co_return prepared_;
  const at::Tensor ids = unreadIds();
  const DecoderOutput decoded = co_await decode(engine, state_, ids, lastPosition(ids));
  const at::Tensor logits = decoded.logits.squeeze(1);
  at::Tensor scores = toScores(logits);
  for (const LogitsProcessor& process : processors_) scores = process(sequences_, scores);
  if (options_.returnLogits) logits_.push_back(compact(logits));
  if (options_.logProbs) rawLogits_ = logits;
  prepared_ = std::move(scores);
  co_return prepared_;
}

Task<at::Tensor> Search::prepareEditable(SharedEngine& engine) {
  const at::Tensor scores = co_await prepare(engine);
  prepared_ = scores.to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  co_return prepared_;
}

Task<bool> Search::advance(SharedEngine& engine) {
  const at::Tensor prepared = co_await prepare(engine);
  at::Tensor scores = prepared.to(engine.device());
  prepared_.reset();
  for (const LogitsProcessor& process : warpers_) scores = process(sequences_, scores);
  if (options_.returnScores) scores_.push_back(compact(scores));
  selectTokens(scores);
  if (options_.logProbs)
    logProbs_.push_back(tokenLogProbs(std::exchange(rawLogits_, {}), sequences_.select(1, -1), *options_.logProbs));
  co_return done();
}

Task<at::Tensor> Search::decodeToHighest(SharedEngine& engine, at::Tensor ids) {
  return torch_t5::decodeToHighest(engine, state_, std::move(ids));
}

Task<GenerateResult> Search::run(SharedEngine& engine) {
  while (!done()) co_await advance(engine);
  co_return finish();
}

bool Search::choosesHighestLogits() const {
  const bool observes = options_.observesSteps() || prepared_.defined();
  return !options_.doSample && processors_.empty() && warpers_.empty() && !observes;
}

bool Search::choosesByLogits() const {
  return choosesHighestLogits() && !options_.maxTime.has_value() && options_.stopStrings.empty();
}

Search::StepOutputs Search::takeOutputs() {
  StepOutputs outputs;
  ResultCopies copies;
  if (!logits_.empty()) {
    outputs.logits = copies.add(std::move(logits_.back()), at::kFloat);
    logits_.pop_back();
  }
  if (!logProbs_.empty()) {
    outputs.logProbs = copyLogProbs(std::move(logProbs_.back()), copies);
    logProbs_.pop_back();
  }
  copies.wait();
  return outputs;
}

at::Tensor Search::sample(const at::Tensor& scores, std::int64_t count) {
  const at::Tensor probabilities = at::softmax(scores, -1);
  if (probabilities.is_cpu()) {
    try {
      return at::multinomial(probabilities, count, /*replacement=*/false, generator_);
    } catch (const c10::Error&) {
      const Error error = describeCurrentException();
      throw error.code() == ErrorCode::kInternal ? tooFewTokens(count) : error;
    }
  }
  // What at::multinomial computes, except that it checks the probabilities at once, for which it waits for the device.
  const at::Tensor areUsable = at::all(probabilities.sum(-1) > 0);  // false for sums that are not numbers
  usableSamples_ = usableSamples_.defined() ? usableSamples_ & areUsable : areUsable;
  sampleCount_ = count;
  const at::Tensor ratios = probabilities / at::empty_like(probabilities).exponential_(1, generator_);
  return count == 1 ? at::argmax(ratios, -1, /*keepdim=*/true) : std::get<1>(at::topk(ratios, count));
}

void Search::checkSamples() const {
  if (usableSamples_.defined() && !usableSamples_.item<bool>()) throw tooFewTokens(sampleCount_);
}

void Search::keepSteps(std::int64_t count) {
  sequences_ = sequences_.slice(1, 0, promptLength_ + count);
  const auto kept = static_cast<std::size_t>(count);
  if (logits_.size() > kept) logits_.resize(kept);
  if (scores_.size() > kept) scores_.resize(kept);
  if (logProbs_.size() > kept) logProbs_.resize(kept);
}

void Search::continueWith(at::Tensor sequences) { sequences_ = std::move(sequences); }

void Search::continueWith(at::Tensor sequences, const at::Tensor& rows) {
  sequences_ = std::move(sequences);
  if (!done_) state_ = selectRows(state_, rows);
}

GenerateResult Search::finish() {
  GenerateResult result;
  ResultCopies copies;
  fill(result, copies);
  result.finishReasons = toFinishReasons(finishReasons());
  // Of beams whose last continuations all had a score of minus infinity: no beam finished before the search ended.
  std::ranges::replace(result.finishReasons, FinishReason::kUnfinished, FinishReason::kLength);
  if (!options_.returnScores && !options_.returnLogits) result.beamIndices.reset();
  result.sequences = copies.add(std::move(result.sequences), at::kInt);
  for (at::Tensor& step : logits_) result.logits.push_back(copies.add(std::move(step), at::kFloat));
  for (at::Tensor& step : scores_) result.scores.push_back(copies.add(std::move(step), at::kFloat));
  copies.wait();
  return result;
}

void check(const GenerateRequest& request) {
  const GenerateOptions& options = request.options;
  const std::int64_t batch = batchOf(request.source);
  expectAtLeast(1, "targetLength", request.targetLength);
  expectCount("decoderInputIds", request.decoderInputIds.size(), batch, request.targetLength);
  expectAtLeast(request.targetLength + 1, "maxLength", options.maxLength);
  expectAtLeast(1, "numBeams", options.numBeams);
  expectAtLeast(1, "numReturnSequences", options.numReturnSequences);
  if (options.numBeams > 1 && options.numReturnSequences > options.numBeams) {
    throw invalidArgument("at most " + std::to_string(options.numBeams) + " (numBeams)", "numReturnSequences",
                          options.numReturnSequences);
  }
  if (options.logProbs) {
    expectAtLeast(0, "logProbs", *options.logProbs);
    if (options.numBeams > 1) throw invalidArgument("1 with logProbs", "numBeams", options.numBeams);
  }
  if (!options.stopStrings.empty() && request.texts == nullptr) {
    throw invalidArgument("the texts of all tokens", "stopStrings", "none");
  }
}

CacheSize cacheSize(const GenerateRequest& request) {
  const auto* ids = std::get_if<SourceIds>(&request.source);
  return {batchOf(request.source) * request.options.rowsPerSource(), request.options.maxLength,
          ids != nullptr ? ids->batch * ids->length
                         : std::get<std::shared_ptr<const EncoderOutput>>(request.source)->inputIds.numel()};
}

Task<std::shared_ptr<Search>> startSearch(SharedEngine& engine, std::shared_ptr<const GenerateRequest> shared) {
  const GenerateRequest& request = *shared;
  std::shared_ptr<const EncoderOutput> encoderOutput = co_await encodeIfNeeded(engine, request.source);
  const at::Tensor decoderInputIds =
      toTensor(request.decoderInputIds, encoderOutput->batch(), request.targetLength, engine.device());
  const SearchInputs inputs{std::move(encoderOutput), decoderInputIds, request.options, request.texts};
  std::shared_ptr<Search> search;
  if (request.options.numBeams > 1) {
    search = std::make_shared<BeamSearch>(inputs);
  } else {
    search = std::make_shared<SampleSearch>(inputs);
  }
  co_return search;
}

Task<GenerateResult> runGenerate(SharedEngine& engine, std::shared_ptr<const GenerateRequest> request) {
  if (sharesSteps(engine, *request)) co_return co_await runSharedGreedy(engine, std::move(request));
  const std::shared_ptr<Search> search = co_await startSearch(engine, std::move(request));
  co_return co_await search->run(engine);
}

}  // namespace torch_t5
