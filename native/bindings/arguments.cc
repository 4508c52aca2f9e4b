#include "bindings/arguments.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/decoding_objects.h"
#include "bindings/dense_object.h"
#include "bindings/values.h"
#include "core/errors.h"

namespace torch_t5 {
namespace {

Selection toSelection(const Napi::Object& request) {
  return {
      .positions = optionalIds(request, "positions"),
      .tokens = optionalIds(request, "tokens"),
      .topK = integer(request, "topK"),
      .hiddenStates = boolean(request, "hiddenStates"),
      .outputHiddenStates = boolean(request, "outputHiddenStates"),
      .outputAttentions = boolean(request, "outputAttentions"),
  };
}

template <class Value, std::size_t count>
using Names = std::array<std::pair<std::string_view, Value>, count>;

constexpr Names<Precision, 4> kPrecisions{{
    {"exact", Precision::kExact},
    {"float32", Precision::kFloat32},
    {"bfloat16", Precision::kBfloat16},
    {"int8", Precision::kInt8},
}};

constexpr Names<StoredType, 3> kStoredTypes{{
    {"F32", StoredType::kFloat32},
    {"BF16", StoredType::kBfloat16},
    {"F16", StoredType::kFloat16},
}};

constexpr Names<ModelKind, 4> kModelKinds{{
    {"generation", ModelKind::kGeneration},
    {"encoder", ModelKind::kEncoder},
    {"sequenceClassification", ModelKind::kSequenceClassification},
    {"tokenClassification", ModelKind::kTokenClassification},
}};

constexpr Names<Activation, 4> kActivations{{
    {"relu", Activation::kRelu},
    {"gelu_new", Activation::kGeluNew},
    {"gelu", Activation::kGelu},
    {"silu", Activation::kSilu},
}};

constexpr Names<EarlyStopping, 3> kEarlyStoppings{{
    {"false", EarlyStopping::kFalse},
    {"true", EarlyStopping::kTrue},
    {"never", EarlyStopping::kNever},
}};

constexpr Names<PoolingMode, 7> kPoolingModes{{
    {"mean", PoolingMode::kMean},
    {"first", PoolingMode::kFirst},
    {"cls", PoolingMode::kCls},
    {"max", PoolingMode::kMax},
    {"mean_sqrt_len_tokens", PoolingMode::kMeanSqrtLength},
    {"weightedmean", PoolingMode::kWeightedMean},
    {"lasttoken", PoolingMode::kLastToken},
}};

constexpr Names<DenseActivation, 6> kDenseActivations{{
    {"identity", DenseActivation::kIdentity},
    {"tanh", DenseActivation::kTanh},
    {"relu", DenseActivation::kRelu},
    {"gelu", DenseActivation::kGelu},
    {"silu", DenseActivation::kSilu},
    {"sigmoid", DenseActivation::kSigmoid},
}};

/// The value of a name. Messages call it `what`.
template <class Value, std::size_t count>
Value known(const std::string& text, const std::string& what, const Names<Value, count>& names) {
  for (const auto& [name, value] : names) {
    if (name == text) return value;
  }
  throw invalidArgument("a known name", what, '"' + text + '"');
}

template <class Value, std::size_t count>
Value named(const Napi::Object& object, const char* name, const Names<Value, count>& names) {
  return known(string(object, name), name, names);
}

std::vector<std::int32_t> idsOrNone(const Napi::Object& options, const char* name) {
  return optionalIds(options, name).value_or(std::vector<std::int32_t>());
}

/// At least one id, because a bias belongs to the last id.
std::vector<std::int32_t> toSomeIds(const Napi::Value& value, const std::string& name) {
  std::vector<std::int32_t> ids = toIds(value, name);
  if (ids.empty()) throw invalidArgument("at least one id", name, "none");
  return ids;
}

SequenceBias toSequenceBias(const Napi::Value& value, const std::string& name) {
  const Napi::Object entry = toObject(value, name);
  return {toSomeIds(entry.Get("ids"), name), number(entry, "bias")};
}

/// The elements of an array, each read by `convert(element, name)`; empty for `undefined`.
template <class Convert>
auto optionalList(const Napi::Object& options, const char* name, Convert convert) {
  const Napi::Array array = optionalArray(options, name);
  std::vector<decltype(convert(Napi::Value(), std::string()))> list;
  for (std::uint32_t index = 0; index < array.Length(); ++index) list.push_back(convert(array.Get(index), name));
  return list;
}

std::optional<ExponentialDecay> optionalDecay(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object decay = toObject(value, name);
  return ExponentialDecay{integer(decay, "start"), number(decay, "factor")};
}

/// The low 64 bits of a bigint.
std::uint64_t toSeed(const Napi::Value& value) {
  if (!value.IsBigInt()) throw invalidArgument("a bigint", "seed", "another value");
  bool isLossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&isLossless);
}

GenerateOptions toGenerateOptions(const Napi::Object& options) {
  return {
      .maxLength = integer(options, "maxLength"),
      .minLength = integer(options, "minLength"),
      .minNewTokens = integer(options, "minNewTokens"),
      .eosTokenIds = ids(options, "eosTokenIds"),
      .padTokenId = integer(options, "padTokenId", {.min = -1}),
      .numBeams = integer(options, "numBeams"),
      .numReturnSequences = integer(options, "numReturnSequences"),
      .lengthPenalty = number(options, "lengthPenalty"),
      .earlyStopping = named(options, "earlyStopping", kEarlyStoppings),
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
      .badWordsIds = optionalList(options, "badWordsIds", toSomeIds),
      .sequenceBias = optionalList(options, "sequenceBias", toSequenceBias),
      .forcedBosTokenId = optionalInteger(options, "forcedBosTokenId"),
      .forcedEosTokenIds = idsOrNone(options, "forcedEosTokenIds"),
      .suppressTokens = idsOrNone(options, "suppressTokens"),
      .beginSuppressTokens = idsOrNone(options, "beginSuppressTokens"),
      .exponentialDecayLengthPenalty = optionalDecay(options, "exponentialDecayLengthPenalty"),
      .renormalizeLogits = boolean(options, "renormalizeLogits"),
      .removeInvalidValues = boolean(options, "removeInvalidValues"),
      .stopStrings = optionalList(options, "stopStrings", toString),
      .maxTime = optionalNumber(options, "maxTime"),
      .returnLogits = boolean(options, "returnLogits"),
      .returnScores = boolean(options, "returnScores"),
      .logProbs = optionalInteger(options, "logProbs"),
  };
}

Architecture toArchitecture(const Napi::Object& object) {
  const auto count = [&](const char* name) { return integer(object, name, {.min = 1}); };
  return {
      .dModel = count("dModel"),
      .dKv = count("dKv"),
      .dFf = count("dFf"),
      .numLayers = count("numLayers"),
      .numDecoderLayers = count("numDecoderLayers"),
      .numHeads = count("numHeads"),
      .vocabSize = count("vocabSize"),
      .relativeAttentionNumBuckets = count("relativeAttentionNumBuckets"),
      .relativeAttentionMaxDistance = count("relativeAttentionMaxDistance"),
      .layerNormEpsilon = number(object, "layerNormEpsilon"),
      .activation = named(object, "activation", kActivations),
      .isGated = boolean(object, "isGated"),
      .hasBiasPerLayer = boolean(object, "hasBiasPerLayer"),
      .scalesDecoderOutputs = boolean(object, "scalesDecoderOutputs"),
  };
}

StoredTensor toStoredTensor(const Napi::Object& object, std::size_t files) {
  const auto toSize = [](const Napi::Value& size, const std::string& name) {
    return toInteger(size, name, {.min = 1});
  };
  return {
      .name = string(object, "name"),
      .type = named(object, "dtype", kStoredTypes),
      .sizes = optionalList(object, "shape", toSize),
      .file = static_cast<std::size_t>(integer(object, "file", {.max = static_cast<double>(files) - 1})),
      .offset = static_cast<std::uint64_t>(integer(object, "offset", {.max = kMaxSafeInteger})),
  };
}

std::optional<StoredWeights> optionalStoredWeights(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object object = toObject(value, name);
  StoredWeights weights;
  weights.files = optionalList(object, "files", [](const Napi::Value& file, const std::string& list) {
    const Napi::Object entry = toObject(file, list);
    const std::int64_t bytes = integer(entry, "bytes", {.max = kMaxSafeInteger});
    return StoredFile{string(entry, "path"), static_cast<std::uint64_t>(bytes)};
  });
  weights.tensors = optionalList(object, "tensors", [&](const Napi::Value& tensor, const std::string& list) {
    return toStoredTensor(toObject(tensor, list), weights.files.size());
  });
  return weights;
}

/// The size of a request that has a source, or of a session's step.
RequestSize sizeOf(const Napi::Object& request) {
  if (!request.Get("source").IsObject()) {
    return {request.Get("batch").IsNumber() ? integer(request, "batch") : 0, 0};
  }
  const EncoderSource source = toEncoderSource(request);
  const auto* ids = std::get_if<SourceIds>(&source);
  if (ids == nullptr) return {std::get<std::shared_ptr<const EncoderOutput>>(source)->batch(), 0};
  if (!ids->attentionMask) return {ids->batch, static_cast<std::int64_t>(ids->inputIds.size())};
  return {ids->batch, std::count(ids->attentionMask->begin(), ids->attentionMask->end(), 1)};
}

}  // namespace

LoadOptions toLoadOptions(const Napi::Object& options) {
  const Precision precision = named(options, "precision", kPrecisions);
  const bool isExact = precision == Precision::kExact;
  std::optional<StoredWeights> storedWeights = optionalStoredWeights(options, "storedWeights");
  if (isExact && storedWeights) throw invalidArgument("an archive", "precision \"exact\"", "stored weights");
  return {
      .path = storedWeights ? std::string() : string(options, "path"),
      .storedWeights = std::move(storedWeights),
      .kind = named(options, "kind", kModelKinds),
      .hiddenStatesPath = string(options, "hiddenStatesPath"),
      .attentionsPath = string(options, "attentionsPath"),
      .device = string(options, "device"),
      .libtorchDirectory = string(options, "libtorchDirectory"),
      .intraOpThreads = static_cast<int>(integer(options, "intraOpThreads")),
      .interOpThreads = static_cast<int>(integer(options, "interOpThreads")),
      .batching = optionalBoolean(options, "batching"),
      .maxQueueLength = static_cast<std::size_t>(integer(options, "maxQueueLength", {.max = kMaxSafeInteger})),
      .maxBatchSize = integer(options, "maxBatchSize", {.min = 1}),
      .maxBatchTokens = integer(options, "maxBatchTokens", {.min = 1}),
      .maxCacheBytes = integer(options, "maxCacheBytes", {.min = 1, .max = kMaxSafeInteger}),
      .precision = precision,
      .architecture = isExact ? Architecture{} : toArchitecture(toObject(options.Get("architecture"), "architecture")),
  };
}

Scheduling toScheduling(const Napi::Object& request, const CacheSize& cacheSize) {
  const Napi::Object scheduling = toObject(request.Get("scheduling"), "scheduling");
  const bool isObserved = boolean(scheduling, "isObserved");
  return {
      .id = toCallId(scheduling.Get("id")),
      .cacheSize = cacheSize,
      .priority = integer(scheduling, "priority", {.min = -kInt32Max}),
      .isObserved = isObserved,
      .size = isObserved ? sizeOf(request) : RequestSize{},
  };
}

ForwardRequest toForwardRequest(const Napi::Object& object) {
  ForwardRequest request{
      .source = toSourceIds(toObject(object.Get("source"), "source")),
      .targetLength = integer(object, "targetLength"),
      .decoderInputIds = ids(object, "decoderInputIds"),
      .labels = optionalIds(object, "labels"),
      .loss = boolean(object, "loss"),
      .selection = toSelection(object),
  };
  check(request);
  return request;
}

DecodeRequest toDecodeRequest(const Napi::Object& object) {
  DecodeRequest request{
      .rows = optionalIds(object, "rows"),
      .batch = integer(object, "batch"),
      .targetLength = integer(object, "targetLength"),
      .decoderInputIds = ids(object, "decoderInputIds"),
      .selection = toSelection(object),
  };
  check(request);
  return request;
}

ClassifyRequest toClassifyRequest(const Napi::Object& object) {
  ClassifyRequest request{
      .source = toSourceIds(toObject(object.Get("source"), "source")),
      .decoderInputIds = optionalIds(object, "decoderInputIds"),
      .positions = optionalIds(object, "positions"),
  };
  check(request);
  return request;
}

ScoreRequest toScoreRequest(const Napi::Object& object) {
  ScoreRequest request{
      .targetIds = ids(object, "targetIds"),
      .targetLengths = ids(object, "targetLengths"),
      .decoderStartTokenId = integer(object, "decoderStartTokenId"),
      .padTokenId = integer(object, "padTokenId"),
      .batchSize = integer(object, "batchSize"),
      .mean = boolean(object, "mean"),
  };
  check(request);
  return request;
}

Pooling toPooling(const Napi::Object& request) {
  const auto toMode = [](const Napi::Value& value, const std::string& name) {
    return known(toString(value, name), name, kPoolingModes);
  };
  Pooling pooling{.modes = optionalList(request, "pooling", toMode), .promptLength = integer(request, "promptLength")};
  if (pooling.modes.empty()) throw invalidArgument("at least one mode", "pooling", "none");
  return pooling;
}

DenseWeights toDenseWeights(const Napi::Object& request) {
  DenseWeights weights{
      .inputs = integer(request, "inputs", {.min = 1}),
      .outputs = integer(request, "outputs", {.min = 1}),
      .weight = toFloats(request.Get("weight"), "weight"),
      .activation = named(request, "activation", kDenseActivations),
  };
  const Napi::Value bias = request.Get("bias");
  if (!bias.IsUndefined()) weights.bias = toFloats(bias, "bias");
  check(weights);
  return weights;
}

std::vector<EmbeddingLayer> toEmbeddingLayers(const Napi::Object& request) {
  const auto toLayer = [](const Napi::Value& value, const std::string& name) -> EmbeddingLayer {
    if (const DenseObject* object = DenseObject::find(value)) return object->dense();
    if (toString(value, name) == "normalize") return nullptr;
    throw invalidArgument("a dense layer or \"normalize\"", name, "another text");
  };
  return optionalList(request, "layers", toLayer);
}

GenerateRequest toGenerateRequest(const Napi::Object& object, std::shared_ptr<const TokenTexts> texts) {
  GenerateRequest request{
      .source = toEncoderSource(object),
      .targetLength = integer(object, "targetLength"),
      .decoderInputIds = ids(object, "decoderInputIds"),
      .options = toGenerateOptions(toObject(object.Get("options"), "options")),
      .texts = std::move(texts),
  };
  check(request);
  return request;
}

SourceIds toSourceIds(const Napi::Object& object) {
  SourceIds source{
      .batch = integer(object, "batch"),
      .length = integer(object, "length"),
      .inputIds = ids(object, "inputIds"),
      .attentionMask = optionalIds(object, "attentionMask"),
  };
  check(source);
  return source;
}

EncoderSource toEncoderSource(const Napi::Object& request) {
  const Napi::Object source = toObject(request.Get("source"), "source");
  if (const EncoderOutputObject* output = EncoderOutputObject::find(source)) return output->encoderOutput();
  return toSourceIds(source);
}

}  // namespace torch_t5
