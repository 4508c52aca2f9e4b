#include "bindings/arguments.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "bindings/encoder_output.h"
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

constexpr Names<Activation, 4> kActivations{{
    {"relu", Activation::kRelu},
    {"gelu_new", Activation::kGeluNew},
    {"gelu", Activation::kGelu},
    {"silu", Activation::kSilu},
}};

template <class Value, std::size_t count>
Value named(const Napi::Object& object, const char* name, const Names<Value, count>& names) {
  const std::string text = string(object, name);
  for (const auto& [known, value] : names) {
    if (known == text) return value;
  }
  throw Error(ErrorCode::kInvalidArgument,
              std::string("Expected a known name for ") + name + " but received \"" + text + "\"");
}

Architecture toArchitecture(const Napi::Object& object) {
  const auto count = [&](const char* name) { return integer(object, name, kInt32Max, 1); };
  return {
      .dModel = count("dModel"),
      .dKv = count("dKv"),
      .dFf = count("dFf"),
      .numLayers = count("numLayers"),
      .numDecoderLayers = count("numDecoderLayers"),
      .numHeads = count("numHeads"),
      .vocabSize = count("vocabSize"),
      .numBuckets = count("relativeAttentionNumBuckets"),
      .maxDistance = count("relativeAttentionMaxDistance"),
      .layerNormEpsilon = number(object, "layerNormEpsilon"),
      .activation = named(object, "activation", kActivations),
      .isGated = boolean(object, "isGated"),
      .hasBiasPerLayer = boolean(object, "hasBiasPerLayer"),
      .scalesDecoderOutputs = boolean(object, "scalesDecoderOutputs"),
  };
}

}  // namespace

LoadOptions toLoadOptions(const Napi::Object& options) {
  const Precision precision = named(options, "precision", kPrecisions);
  const bool isExact = precision == Precision::kExact;
  return {
      .path = string(options, "path"),
      .device = string(options, "device"),
      .libtorchDirectory = string(options, "libtorchDirectory"),
      .intraOpThreads = static_cast<int>(integer(options, "intraOpThreads")),
      .interOpThreads = static_cast<int>(integer(options, "interOpThreads")),
      .maxQueueLength = static_cast<std::size_t>(integer(options, "maxQueueLength", kLargestSafeInteger)),
      .precision = precision,
      .architecture = isExact ? Architecture{} : toArchitecture(toObject(options.Get("architecture"), "architecture")),
  };
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
  return {.first = string(request, "pooling") == "first", .normalize = boolean(request, "normalize")};
}

}  // namespace torch_t5
