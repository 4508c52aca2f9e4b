// Errors of every layer: a stable code and one clean sentence. Nothing here knows libtorch or Node.
#pragma once

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

/// The `code` that JavaScript sees.
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

}  // namespace torch_t5
