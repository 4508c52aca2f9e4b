// Reads single JavaScript values. lib/ has validated them with better messages; the checks here protect memory. Every
// function throws ERR_INVALID_ARGUMENT for a value of another type or range.
#pragma once

#include <napi.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace torch_t5 {

constexpr double kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr double kMaxSafeInteger = 9007199254740991.0;  // Number.MAX_SAFE_INTEGER

/// Both bounds are included.
struct IntegerRange {
  double min = 0;
  double max = kInt32Max;
};

// A value. Messages call it `name`. Arrays are copied.

std::int64_t toInteger(const Napi::Value& value, const std::string& name, IntegerRange range = {});
std::string toString(const Napi::Value& value, const std::string& name);
Napi::Object toObject(const Napi::Value& value, const std::string& name);
bool isTypedArray(const Napi::Value& value, napi_typedarray_type type);

/// An Int32Array.
std::vector<std::int32_t> toIds(const Napi::Value& value, const std::string& name);

/// A Float32Array.
std::vector<float> toFloats(const Napi::Value& value, const std::string& name);

/// A Uint8Array.
std::string toBytes(const Napi::Value& value, const std::string& name);

/// The id by which a call is cancelled.
std::uint64_t toCallId(const Napi::Value& value);

// A property of an object. An optional one may be `undefined`.

std::int64_t integer(const Napi::Object& object, const char* name, IntegerRange range = {});
std::optional<std::int64_t> optionalInteger(const Napi::Object& object, const char* name);
double number(const Napi::Object& object, const char* name);
std::optional<double> optionalNumber(const Napi::Object& object, const char* name);
std::string string(const Napi::Object& object, const char* name);
bool boolean(const Napi::Object& object, const char* name);
std::optional<bool> optionalBoolean(const Napi::Object& object, const char* name);
std::vector<std::int32_t> ids(const Napi::Object& object, const char* name);
std::optional<std::vector<std::int32_t>> optionalIds(const Napi::Object& object, const char* name);

/// Empty for `undefined`.
Napi::Array optionalArray(const Napi::Object& object, const char* name);

}  // namespace torch_t5
