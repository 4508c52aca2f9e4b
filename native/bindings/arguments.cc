#include "bindings/arguments.h"

#include <cmath>
#include <limits>
#include <string>

#include "errors.h"

namespace torch_t5 {
namespace {

constexpr double kLargestSafeInteger = 9007199254740991.0;

Error expected(const std::string& what, const std::string& name) {
  return {ErrorCode::kInvalidArgument, "Expected " + what + " for " + name + " but received another value"};
}

std::int64_t toInteger(const Napi::Value& value, const std::string& name, double highest) {
  if (!value.IsNumber()) throw expected("an integer", name);
  const double number = value.As<Napi::Number>().DoubleValue();
  const bool valid = number >= 0 && number <= highest && std::trunc(number) == number;
  if (!valid) throw expected("an integer of at least 0", name);
  return static_cast<std::int64_t>(number);
}

std::int64_t integer(const Napi::Object& object, const char* name,
                     double highest = std::numeric_limits<std::int32_t>::max()) {
  return toInteger(object.Get(name), name, highest);
}

std::string string(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) throw expected("a string", name);
  return value.As<Napi::String>().Utf8Value();
}

bool boolean(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBoolean()) throw expected("a boolean", name);
  return value.As<Napi::Boolean>().Value();
}

std::optional<std::vector<std::int32_t>> optionalIds(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw expected("an Int32Array", name);
  }
  const auto array = value.As<Napi::Int32Array>();
  const std::int32_t* data = array.Data();
  return std::vector<std::int32_t>(data, data + array.ElementLength());
}

std::vector<std::int32_t> ids(const Napi::Object& object, const char* name) {
  auto result = optionalIds(object, name);
  if (!result) throw expected("an Int32Array", name);
  return *std::move(result);
}

Napi::Object objectArgument(const Napi::CallbackInfo& info, const char* name) {
  if (!info[0].IsObject()) throw expected("an object", name);
  return info[0].As<Napi::Object>();
}

}  // namespace

std::uint64_t toCallId(const Napi::Value& value) {
  return static_cast<std::uint64_t>(toInteger(value, "id", kLargestSafeInteger));
}

LoadOptions toLoadOptions(const Napi::CallbackInfo& info) {
  const Napi::Object options = objectArgument(info, "options");
  return {
      .path = string(options, "path"),
      .device = string(options, "device"),
      .libtorchDirectory = string(options, "libtorchDirectory"),
      .intraOpThreads = static_cast<int>(integer(options, "intraOpThreads")),
      .interOpThreads = static_cast<int>(integer(options, "interOpThreads")),
      .maxQueueLength = static_cast<std::size_t>(integer(options, "maxQueueLength", kLargestSafeInteger)),
  };
}

ForwardRequest toForwardRequest(const Napi::CallbackInfo& info) {
  const Napi::Object request = objectArgument(info, "request");
  return {
      .batch = integer(request, "batch"),
      .sourceLength = integer(request, "sourceLength"),
      .targetLength = integer(request, "targetLength"),
      .inputIds = ids(request, "inputIds"),
      .attentionMask = optionalIds(request, "attentionMask"),
      .decoderInputIds = ids(request, "decoderInputIds"),
      .labels = optionalIds(request, "labels"),
      .selection =
          {
              .positions = optionalIds(request, "positions"),
              .tokens = optionalIds(request, "tokens"),
              .topK = integer(request, "topK"),
              .hiddenStates = boolean(request, "hiddenStates"),
          },
  };
}

}  // namespace torch_t5
