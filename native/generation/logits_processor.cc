#include "generation/logits_processor.h"

#include <ATen/ops/full.h>

#include "engine/tensors.h"

namespace torch_t5 {
namespace {

std::vector<SequenceBias> forbidden(const std::vector<std::vector<std::int32_t>>& badWordsIds) {
  std::vector<SequenceBias> biases;
  biases.reserve(badWordsIds.size());
  for (const auto& ids : badWordsIds) biases.push_back({ids, -std::numeric_limits<double>::infinity()});
  return biases;
}

}  // namespace

std::vector<LogitsProcessor> makeProcessors(const GenerationOptions& options, const EncoderOutput& encoderOutput,
                                            std::int64_t promptLength) {
  const at::Device device = encoderOutput.inputIds.device();
  const at::Tensor eosTokenIds = toTensor(options.eosTokenIds, device);
  const bool ends = !options.eosTokenIds.empty();
  std::vector<LogitsProcessor> list;
  if (!options.sequenceBias.empty()) list.push_back(sequenceBias(options.sequenceBias, device));
  if (options.encoderRepetitionPenalty != 1)
    list.push_back(encoderRepetitionPenalty(options.encoderRepetitionPenalty, encoderOutput.inputIds));
  if (options.repetitionPenalty != 1) list.push_back(repetitionPenalty(options.repetitionPenalty));
  if (options.noRepeatNgramSize > 0) list.push_back(noRepeatNgram(options.noRepeatNgramSize));
  if (options.encoderNoRepeatNgramSize > 0)
    list.push_back(encoderNoRepeatNgram(options.encoderNoRepeatNgramSize, encoderOutput.inputIds));
  if (!options.badWordsIds.empty()) list.push_back(sequenceBias(forbidden(options.badWordsIds), device));
  if (options.minLength > 0 && ends) list.push_back(suppressBelow(options.minLength, eosTokenIds));
  if (options.minNewTokens > 0 && ends) list.push_back(suppressBelow(promptLength + options.minNewTokens, eosTokenIds));
  if (options.forcedBosTokenId)
    list.push_back(forceAt(1, at::full({1}, *options.forcedBosTokenId, eosTokenIds.options())));
  if (!options.forcedEosTokenIds.empty())
    list.push_back(forceAt(options.maxLength - 1, toTensor(options.forcedEosTokenIds, device)));
  if (options.removeInvalidValues) list.push_back(removeInvalidValues());
  if (options.exponentialDecay)
    list.push_back(exponentialDecayLengthPenalty(*options.exponentialDecay, eosTokenIds, promptLength));
  if (!options.suppressTokens.empty()) list.push_back(suppress(toTensor(options.suppressTokens, device)));
  if (!options.beginSuppressTokens.empty()) {
    const bool beginsBehindForced = promptLength == 1 && options.forcedBosTokenId.has_value();
    list.push_back(
        suppressAt(promptLength + (beginsBehindForced ? 1 : 0), toTensor(options.beginSuppressTokens, device)));
  }
  return list;
}

std::vector<LogitsProcessor> makeWarpers(const GenerationOptions& options) {
  std::vector<LogitsProcessor> list;
  if (options.doSample) {
    // Beams need one token more than those that end them, to go on with.
    const auto eosTokens = static_cast<std::int64_t>(options.eosTokenIds.size());
    const std::int64_t least = options.numBeams == 1 ? 1 : (eosTokens == 0 ? 2 : eosTokens + 1);
    if (options.temperature != 1) list.push_back(temperature(options.temperature));
    if (options.topK != 0) list.push_back(topK(options.topK, least));
    if (options.topP < 1) list.push_back(topP(options.topP, least));
    if (options.minP) list.push_back(minP(*options.minP, least));
    if (options.typicalP < 1) list.push_back(typicalP(options.typicalP, least));
    if (options.epsilonCutoff > 0 && options.epsilonCutoff < 1)
      list.push_back(epsilonCutoff(options.epsilonCutoff, least));
    if (options.etaCutoff > 0 && options.etaCutoff < 1) list.push_back(etaCutoff(options.etaCutoff, least));
  }
  if (options.renormalizeLogits) list.push_back(logSoftmax());
  return list;
}

}  // namespace torch_t5
