// The options of a generation, which are many.
#include <optional>
#include <string>
#include <utility>

#include "bindings/arguments.h"
#include "bindings/values.h"
#include "core/errors.h"

namespace torch_t5 {
namespace {

EarlyStopping toEarlyStopping(const std::string& name) {
  if (name == "true") return EarlyStopping::kTrue;
  return name == "never" ? EarlyStopping::kNever : EarlyStopping::kFalse;
}

std::vector<std::int32_t> idsOrNone(const Napi::Object& options, const char* name) {
  return optionalIds(options, name).value_or(std::vector<std::int32_t>());
}

/// Every bias needs a last id.
std::vector<std::int32_t> someIds(const Napi::Value& value, const std::string& name) {
  std::vector<std::int32_t> ids = toIds(value, name);
  if (ids.empty()) throw Error(ErrorCode::kInvalidArgument, "Expected at least one id for " + name);
  return ids;
}

std::vector<std::vector<std::int32_t>> toBadWords(const Napi::Array& array) {
  std::vector<std::vector<std::int32_t>> words;
  for (std::uint32_t index = 0; index < array.Length(); ++index)
    words.push_back(someIds(array.Get(index), "badWordsIds"));
  return words;
}

std::vector<SequenceBias> toSequenceBias(const Napi::Array& array) {
  std::vector<SequenceBias> biases;
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    const Napi::Object entry = toObject(array.Get(index), "sequenceBias");
    biases.push_back({someIds(entry.Get("ids"), "sequenceBias"), number(entry, "bias")});
  }
  return biases;
}

std::vector<std::string> toStrings(const Napi::Array& array) {
  std::vector<std::string> strings;
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    strings.push_back(Napi::Value(array.Get(index)).ToString().Utf8Value());
  }
  return strings;
}

std::optional<ExponentialDecay> toDecay(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object decay = toObject(value, "exponentialDecayLengthPenalty");
  return ExponentialDecay{integer(decay, "start"), number(decay, "factor")};
}

std::uint64_t toSeed(const Napi::Value& value) {
  if (!value.IsBigInt()) throw Error(ErrorCode::kInvalidArgument, "Expected a bigint for seed");
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

GenerationOptions toOptions(const Napi::Object& options) {
  const std::optional<double> forcedBos = optionalNumber(options, "forcedBosTokenId");
  return {
      .maxLength = integer(options, "maxLength"),
      .minLength = integer(options, "minLength"),
      .minNewTokens = integer(options, "minNewTokens"),
      .eosTokenIds = ids(options, "eosTokenIds"),
      .padTokenId = integer(options, "padTokenId", kInt32Max, /*lowest=*/-1),
      .numBeams = integer(options, "numBeams"),
      .numReturnSequences = integer(options, "numReturnSequences"),
      .lengthPenalty = number(options, "lengthPenalty"),
      .earlyStopping = toEarlyStopping(string(options, "earlyStopping")),
      .doSample = boolean(options, "doSample"),
      .seed = toSeed(options.Get("seed")),
      .temperature = number(options, "temperature"),
      .topK = integer(options, "topK"),
      .topP = number(options, "topP"),
      .minP = optionalNumber(options, "minP"),
      .typicalP = number(options, "typicalP"),
      .epsilonCutoff = number(options, "epsilonCutoff"),
      .etaCutoff = number(options, "etaCutoff"),
      .repetitionPenalty = number(options, "repetitionPenalty"),
      .encoderRepetitionPenalty = number(options, "encoderRepetitionPenalty"),
      .noRepeatNgramSize = integer(options, "noRepeatNgramSize"),
      .encoderNoRepeatNgramSize = integer(options, "encoderNoRepeatNgramSize"),
      .badWordsIds = toBadWords(optionalArray(options, "badWordsIds")),
      .sequenceBias = toSequenceBias(optionalArray(options, "sequenceBias")),
      .forcedBosTokenId = forcedBos ? std::optional<std::int64_t>(integer(options, "forcedBosTokenId")) : std::nullopt,
      .forcedEosTokenIds = idsOrNone(options, "forcedEosTokenIds"),
      .suppressTokens = idsOrNone(options, "suppressTokens"),
      .beginSuppressTokens = idsOrNone(options, "beginSuppressTokens"),
      .exponentialDecay = toDecay(options.Get("exponentialDecayLengthPenalty")),
      .renormalizeLogits = boolean(options, "renormalizeLogits"),
      .removeInvalidValues = boolean(options, "removeInvalidValues"),
      .stopStrings = toStrings(optionalArray(options, "stopStrings")),
      .maxTime = optionalNumber(options, "maxTime"),
      .returnLogits = boolean(options, "returnLogits"),
      .returnScores = boolean(options, "returnScores"),
  };
}

}  // namespace

GenerateRequest toGenerateRequest(const Napi::Object& object) {
  GenerateRequest request{
      .source = toEncoderSource(object),
      .targetLength = integer(object, "targetLength"),
      .decoderInputIds = ids(object, "decoderInputIds"),
      .options = toOptions(toObject(object.Get("options"), "options")),
      .texts = nullptr,
  };
  check(request.options, request.targetLength);
  return request;
}

}  // namespace torch_t5
