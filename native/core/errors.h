// The errors of every layer: a stable code and one sentence. Depends on neither libtorch nor Node.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace torch_t5 {

enum class ErrorCode {
  kInvalidArgument,
  kTokenOutOfRange,
  kModelNotFound,
  kModelCorrupt,
  kModelUntrusted,
  kDeviceUnavailable,
  kOutOfMemory,
  kQueueFull,
  kDisposed,
  kAborted,
  kInternal,
};

/// The `code` property of the JavaScript error.
constexpr std::string_view codeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "ERR_INVALID_ARGUMENT";
    case ErrorCode::kTokenOutOfRange:
      return "ERR_TOKEN_OUT_OF_RANGE";
    case ErrorCode::kModelNotFound:
      return "ERR_MODEL_NOT_FOUND";
    case ErrorCode::kModelCorrupt:
      return "ERR_MODEL_CORRUPT";
    case ErrorCode::kModelUntrusted:
      return "ERR_MODEL_UNTRUSTED";
    case ErrorCode::kDeviceUnavailable:
      return "ERR_DEVICE_UNAVAILABLE";
    case ErrorCode::kOutOfMemory:
      return "ERR_OUT_OF_MEMORY";
    case ErrorCode::kQueueFull:
      return "ERR_QUEUE_FULL";
    case ErrorCode::kDisposed:
      return "ERR_DISPOSED";
    case ErrorCode::kAborted:
      return "ERR_ABORTED";
    case ErrorCode::kInternal:
      break;
  }
  return "ERR_INTERNAL";
}

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// ERR_INVALID_ARGUMENT with the message "Expected <what> for <name> but received <value>".
inline Error invalidArgument(const std::string& what, const std::string& name, const std::string& value) {
  return {ErrorCode::kInvalidArgument, "Expected " + what + " for " + name + " but received " + value};
}

inline Error invalidArgument(const std::string& what, const std::string& name, std::int64_t value) {
  return invalidArgument(what, name, std::to_string(value));
}

/// Throws `code` for the first of `indices` that is not from 0 to `count - 1`. `what`: "ids", "rows".
template <class Indices>
void expectIndices(const Indices& indices, std::int64_t count, const std::string& what, const std::string& name,
                   ErrorCode code = ErrorCode::kInvalidArgument) {
  for (const std::int64_t index : indices) {
    if (index >= 0 && index < count) continue;
    throw Error(code, "Expected " + what + " from 0 to " + std::to_string(count - 1) + " for " + name +
                          " but received " + std::to_string(index));
  }
}

}  // namespace torch_t5
