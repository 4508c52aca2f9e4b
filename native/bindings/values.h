// Single values of JavaScript objects, read without surprises. lib/ has validated them with better messages: what is
// checked here is what memory safety needs. Everything throws ERR_INVALID_ARGUMENT.
#pragma once

#include <napi.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace torch_t5 {

constexpr double kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr double kLargestSafeInteger = 9007199254740991.0;

std::int64_t toInteger(const Napi::Value& value, const std::string& name, double highest, double lowest = 0);
Napi::Object toObject(const Napi::Value& value, const std::string& name);

/// An integer from `lowest` to `highest`.
std::int64_t integer(const Napi::Object& object, const char* name, double highest = kInt32Max, double lowest = 0);
double number(const Napi::Object& object, const char* name);
std::optional<double> optionalNumber(const Napi::Object& object, const char* name);
std::string string(const Napi::Object& object, const char* name);
bool boolean(const Napi::Object& object, const char* name);

/// Copies an Int32Array.
std::vector<std::int32_t> toIds(const Napi::Value& value, const std::string& name);
std::vector<std::int32_t> ids(const Napi::Object& object, const char* name);
std::optional<std::vector<std::int32_t>> optionalIds(const Napi::Object& object, const char* name);

/// `undefined`: none.
Napi::Array optionalArray(const Napi::Object& object, const char* name);

/// The `id` of the call, from the request object or the argument itself.
std::uint64_t toCallId(const Napi::Value& value);

}  // namespace torch_t5
