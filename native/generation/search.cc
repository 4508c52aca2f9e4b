#include "generation/search.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/all.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/topk.h>

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "core/cancellation.h"
#include "core/errors.h"
#include "core/requests.h"
#include "engine/libtorch_errors.h"
#include "engine/tensors.h"
#include "generation/beam_search.h"

namespace torch_t5 {
namespace {

/// Greedy search or sampling, one sequence per row: transformers' `GenerationMixin._sample`.
class SampleSearch final : public Search {
 public:
  explicit SampleSearch(const SearchInputs& inputs)
      : Search(inputs), unfinished_(at::ones({sequences().size(0)}, sequences().options())) {}

  void run(Engine& engine) override;

 private:
  at::Tensor toScores(const at::Tensor& logits) const override { return logits; }
  void selectTokens(const at::Tensor& scores) override;
  void fill(GenerateResult& result, ResultCopies& copies) override;

  at::Tensor unfinished_;  // int64 [rows]: 1 until a sequence ends, then 0

  // A GPU computes steps after the host has enqueued them. So the host looks at the ends of sequences every few steps
  // only, and drops the steps after the last end.
  std::int64_t stepsPerLook_ = 1;
  std::int64_t stepsSinceLook_ = 0;
  at::Tensor neededSteps_;  // int64 []: steps with an unfinished sequence before them
};

constexpr std::int64_t kStepsPerLook = 4;

void SampleSearch::selectTokens(const at::Tensor& scores) {
  at::Tensor tokens = options().doSample ? sample(scores, 1).squeeze(1) : at::argmax(scores, -1);
  if (options().padTokenId >= 0) tokens = tokens * unfinished_ + options().padTokenId * (1 - unfinished_);
  continueWith(at::cat({sequences(), tokens.unsqueeze(1)}, -1));
  if (stepsPerLook_ > 1) neededSteps_ = neededSteps_ + unfinished_.any();
  unfinished_ = unfinished_ * hitsStoppingCriteria(sequences()).logical_not();
  if (++stepsSinceLook_ < stepsPerLook_ && sequences().size(1) < options().maxLength) return;
  stepsSinceLook_ = 0;
  checkSamples();
  if (!unfinished_.any().item<bool>()) setDone();
}

void SampleSearch::run(Engine& engine) {
  advance(engine);  // reads the prompt
  if (!done() && choosesByLogits()) {
    const GreedyRequest request{
        sequences().select(1, sequences().size(1) - 1), unfinished_,           state().cache,
        options().maxLength - sequences().size(1),      options().eosTokenIds, options().padTokenId};
    if (const std::optional<at::Tensor> tokens = engine.decodeGreedily(request)) {
      continueWith(at::cat({sequences(), *tokens}, 1));
      setDone();
    }
  }
  if (!done() && engine.device().is_cuda()) {
    stepsPerLook_ = kStepsPerLook;
    neededSteps_ = at::full({}, sequences().size(1) - promptLength(), sequences().options());
  }
  Search::run(engine);
  if (stepsPerLook_ > 1) keepSteps(neededSteps_.item<std::int64_t>());
}

void SampleSearch::fill(GenerateResult& result, ResultCopies& copies) {
  result.sequences = sequences();
  if (!options().returnScores) return;
  std::vector<at::Tensor> chosen;
  for (std::size_t step = 0; step < scores().size(); ++step) {
    const at::Tensor tokens = sequences().slice(1, promptLength() + static_cast<std::int64_t>(step)).slice(1, 0, 1);
    chosen.push_back(at::gather(scores()[step], 1, tokens).squeeze(1));
  }
  result.transitionScores = copies.add(at::stack(chosen, 1), at::kFloat);
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

at::Tensor Search::nextLogits(Engine& engine) {
  CancellationScope::check();
  const at::Tensor ids = state_.position == 0 ? sequences_ : sequences_.slice(1, -1);
  LogitsSelection last;
  if (ids.size(1) > 1) last.positions = at::full({1}, ids.size(1) - 1, ids.options());
  return decode(engine, state_, ids, last).logits.squeeze(1);
}

const at::Tensor& Search::prepare(Engine& engine) {
  if (prepared_.defined()) return prepared_;
  const at::Tensor logits = nextLogits(engine);
  at::Tensor scores = toScores(logits);
  for (const LogitsProcessor& process : processors_) scores = process(sequences_, scores);
  if (options_.returnLogits) logits_.push_back(logits);
  prepared_ = std::move(scores);
  return prepared_;
}

at::Tensor Search::prepareEditable(Engine& engine) {
  prepared_ = prepare(engine).to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  return prepared_;
}

void Search::advance(Engine& engine) {
  at::Tensor scores = prepare(engine).to(engine.device());
  prepared_.reset();
  for (const LogitsProcessor& process : warpers_) scores = process(sequences_, scores);
  if (options_.returnScores) scores_.push_back(scores);
  selectTokens(scores);
}

void Search::run(Engine& engine) {
  while (!done()) advance(engine);
}

bool Search::choosesByLogits() const {
  const bool observes = options_.returnLogits || options_.returnScores;
  const bool stopsOtherwise = options_.maxTime.has_value() || !options_.stopStrings.empty();
  return !options_.doSample && processors_.empty() && warpers_.empty() && !observes && !stopsOtherwise;
}

at::Tensor Search::takeLogits() {
  if (logits_.empty()) return {};
  at::Tensor logits = owned(std::move(logits_.back()), at::kFloat);
  logits_.pop_back();
  return logits;
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
  if (!options.stopStrings.empty() && request.texts == nullptr) {
    throw invalidArgument("the texts of all tokens", "stopStrings", "none");
  }
}

std::unique_ptr<Search> startSearch(Engine& engine, const GenerateRequest& request) {
  std::shared_ptr<const EncoderOutput> encoderOutput = encodeIfNeeded(engine, request.source);
  const at::Tensor decoderInputIds =
      toTensor(request.decoderInputIds, encoderOutput->batch(), request.targetLength, engine.device());
  const SearchInputs inputs{std::move(encoderOutput), decoderInputIds, request.options, request.texts};
  if (request.options.numBeams > 1) return std::make_unique<BeamSearch>(inputs);
  return std::make_unique<SampleSearch>(inputs);
}

GenerateResult runGenerate(Engine& engine, const GenerateRequest& request) {
  const std::unique_ptr<Search> search = startSearch(engine, request);
  search->run(engine);
  return search->finish();
}

}  // namespace torch_t5
