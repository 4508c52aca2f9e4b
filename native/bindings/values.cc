#include "bindings/values.h"

#include <cmath>

#include "core/errors.h"

namespace torch_t5 {
namespace {

Error expected(const std::string& what, const std::string& name) {
  return invalidArgument(what, name, "another value");
}

std::string toText(IntegerRange range) {
  return "an integer from " + std::to_string(static_cast<std::int64_t>(range.min)) + " to " +
         std::to_string(static_cast<std::int64_t>(range.max));
}

}  // namespace

std::int64_t toInteger(const Napi::Value& value, const std::string& name, IntegerRange range) {
  if (!value.IsNumber()) throw expected(toText(range), name);
  const double number = value.As<Napi::Number>().DoubleValue();
  const bool isInRange = number >= range.min && number <= range.max;
  if (!isInRange || std::trunc(number) != number) throw expected(toText(range), name);
  return static_cast<std::int64_t>(number);
}

std::string toString(const Napi::Value& value, const std::string& name) {
  if (!value.IsString()) throw expected("a string", name);
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object toObject(const Napi::Value& value, const std::string& name) {
  if (!value.IsObject()) throw expected("an object", name);
  return value.As<Napi::Object>();
}

bool isTypedArray(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

std::vector<std::int32_t> toIds(const Napi::Value& value, const std::string& name) {
  if (!isTypedArray(value, napi_int32_array)) throw expected("an Int32Array", name);
  const auto array = value.As<Napi::Int32Array>();
  const std::int32_t* data = array.Data();
  return {data, data + array.ElementLength()};
}

std::vector<float> toFloats(const Napi::Value& value, const std::string& name) {
  if (!isTypedArray(value, napi_float32_array)) throw expected("a Float32Array", name);
  const auto array = value.As<Napi::Float32Array>();
  const float* data = array.Data();
  return {data, data + array.ElementLength()};
}

std::string toBytes(const Napi::Value& value, const std::string& name) {
  if (!isTypedArray(value, napi_uint8_array)) throw expected("a Uint8Array", name);
  const auto array = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(array.Data()), array.ByteLength()};
}

std::uint64_t toCallId(const Napi::Value& value) {
  return static_cast<std::uint64_t>(toInteger(value, "id", {.max = kMaxSafeInteger}));
}

std::int64_t integer(const Napi::Object& object, const char* name, IntegerRange range) {
  return toInteger(object.Get(name), name, range);
}

std::optional<std::int64_t> optionalInteger(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  return toInteger(value, name);
}

double number(const Napi::Object& object, const char* name) {
  const std::optional<double> value = optionalNumber(object, name);
  if (!value) throw expected("a number", name);
  return *value;
}

std::optional<double> optionalNumber(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsNumber()) throw expected("a number", name);
  return value.As<Napi::Number>().DoubleValue();
}

std::string string(const Napi::Object& object, const char* name) { return toString(object.Get(name), name); }

bool boolean(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBoolean()) throw expected("a boolean", name);
  return value.As<Napi::Boolean>().Value();
}

std::optional<bool> optionalBoolean(const Napi::Object& object, const char* name) {
  if (object.Get(name).IsUndefined()) return std::nullopt;
  return boolean(object, name);
}

std::vector<std::int32_t> ids(const Napi::Object& object, const char* name) { return toIds(object.Get(name), name); }

std::optional<std::vector<std::int32_t>> optionalIds(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  return toIds(value, name);
}

Napi::Array optionalArray(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return Napi::Array::New(object.Env());
  if (!value.IsArray()) throw expected("an array", name);
  return value.As<Napi::Array>();
}

}  // namespace torch_t5
