#include "bindings/arguments.h"

#include <string>

#include "bindings/encoder_output.h"
#include "bindings/values.h"
#include "errors.h"

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

}  // namespace

LoadOptions toLoadOptions(const Napi::Object& options) {
  return {
      .path = string(options, "path"),
      .device = string(options, "device"),
      .libtorchDirectory = string(options, "libtorchDirectory"),
      .intraOpThreads = static_cast<int>(integer(options, "intraOpThreads")),
      .interOpThreads = static_cast<int>(integer(options, "interOpThreads")),
      .maxQueueLength = static_cast<std::size_t>(integer(options, "maxQueueLength", kLargestSafeInteger)),
  };
}

SourceIds toSourceIds(const Napi::Object& request) {
  SourceIds source{
      .batch = integer(request, "batch"),
      .length = integer(request, "sourceLength"),
      .inputIds = ids(request, "inputIds"),
      .attentionMask = optionalIds(request, "attentionMask"),
  };
  check(source);
  return source;
}

Source toSource(const Napi::Object& request) {
  const Napi::Object source = toObject(request.Get("source"), "source");
  if (const EncoderOutput* output = EncoderOutput::find(source)) return output->encoded();
  return toSourceIds(source);
}

ForwardRequest toForwardRequest(const Napi::Object& object) {
  ForwardRequest request{
      .source = toSourceIds(object),
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
