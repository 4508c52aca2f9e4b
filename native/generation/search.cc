#include "generation/search.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/full.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/softmax.h>

#include <utility>

#include "core/cancellation.h"
#include "core/errors.h"
#include "engine/tensors.h"
#include "generation/beam_search.h"
#include "generation/token_search.h"

namespace torch_t5 {
namespace {

at::Generator makeGenerator(const GenerationOptions& options, const at::Device& device) {
  if (!options.doSample) return {};
  at::Generator generator =
      device.is_cpu() ? at::detail::createCPUGenerator() : at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(options.seed);
  return generator;
}

}  // namespace

Search::Search(const SearchStart& start)
    : options_(start.options),
      sourceRows_(start.encoderOutput->batch()),
      promptLength_(start.decoderInputIds.size(1)),
      processors_(makeProcessors(options_, *start.encoderOutput, promptLength_)),
      warpers_(makeWarpers(options_)),
      stopping_(options_, start.texts, start.decoderInputIds.device()),
      generator_(makeGenerator(options_, start.decoderInputIds.device())),
      state_{repeatRows(start.encoderOutput, options_.rowsPerSource()), nullptr, 0},
      sequences_(at::repeat_interleave(start.decoderInputIds, options_.rowsPerSource(), 0)) {}

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
  select(scores);
}

at::Tensor Search::takeLogits() {
  at::Tensor logits = owned(std::move(logits_.back()), at::kFloat);
  logits_.pop_back();
  return logits;
}

at::Tensor Search::sample(const at::Tensor& scores, std::int64_t count) {
  try {
    return at::multinomial(at::softmax(scores, -1), count, /*replacement=*/false, generator_);
  } catch (const c10::Error&) {
    throw Error(ErrorCode::kInvalidArgument, "Expected scores with at least " + std::to_string(count) +
                                                 " possible tokens to sample from but the options, or the processor, "
                                                 "left fewer, or made scores that are not numbers");
  }
}

void Search::continueWith(at::Tensor sequences) { sequences_ = std::move(sequences); }

void Search::continueWith(at::Tensor sequences, const at::Tensor& rows) {
  sequences_ = std::move(sequences);
  if (!done_) state_ = selectRows(state_, rows);
}

GenerateResult Search::finish() {
  GenerateResult result;
  complete(result);
  if (!options_.returnScores && !options_.returnLogits) result.beamIndices.reset();
  result.sequences = owned(std::move(result.sequences), at::kInt);
  for (at::Tensor& step : logits_) result.logits.push_back(owned(std::move(step), at::kFloat));
  for (at::Tensor& step : scores_) result.scores.push_back(owned(std::move(step), at::kFloat));
  return result;
}

std::unique_ptr<Search> makeSearch(const SearchStart& start) {
  check(start.options, start.decoderInputIds.size(1));
  if (start.options.numBeams > 1) return std::make_unique<BeamSearch>(start);
  return std::make_unique<TokenSearch>(start);
}

}  // namespace torch_t5
