#include "engine/libtorch_errors.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>

namespace torch_t5 {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The interpreter puts a traceback of the traced Python code before the message. The message follows the last of these
/// markers.
std::string_view withoutTraceback(std::string_view text) {
  for (const std::string_view marker : {"RuntimeError: ", "NotImplementedError: ", "IndexError: "}) {
    if (const std::size_t begin = text.rfind(marker); begin != std::string_view::npos)
      return text.substr(begin + marker.size());
  }
  return text;
}

/// Removes the source location and the condition from a message such as
/// `[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: ...`.
std::string_view withoutSource(std::string_view text) {
  if (!text.starts_with("[enforce fail at ")) return text;
  const std::size_t end = text.find(". ");
  return end == std::string_view::npos ? text : text.substr(end + 2);
}

std::string firstSentence(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view sentence = line.substr(0, line.find(". "));
  return std::string(sentence.empty() ? "libtorch gave no reason" : sentence);
}

bool containsAny(std::string_view text, std::span<const std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return contains(text, part); });
}

/// What libtorch, CUDA and CUDA's libraries write when memory runs out.
constexpr std::array<std::string_view, 8> kOutOfMemory{
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "cudaErrorMemoryAllocation",
    "CUSOLVER_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
};

/// CUDA's texts and names for errors after which a process can no longer use the GPU.
constexpr std::array<std::string_view, 20> kLostGpu{
    "device-side assert triggered",
    "cudaErrorAssert",
    "an illegal memory access was encountered",
    "cudaErrorIllegalAddress",
    "unspecified launch failure",
    "cudaErrorLaunchFailure",
    "an illegal instruction was encountered",
    "misaligned address",
    "operation not supported on global/shared address space",
    "invalid program counter",
    "hardware stack error",
    "the launch timed out and was terminated",
    "uncorrectable ECC error",
    "uncorrectable NVLink error",
    "context is destroyed",
    "fallen off the bus",
    "NVRM: Xid",
    "CUDA error: unknown error",
    "CUDA error: GPU is lost",
    "Invalid access of peer GPU memory over nvlink or a hardware error",
};

/// What CUDA's libraries write if a call fails on the GPU, for which a lost GPU is one of the reasons.
constexpr std::array<std::string_view, 4> kLibraryFailures{
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_INTERNAL_ERROR",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_EXECUTION_FAILED",
};

/// The message of the error that made this process lose a GPU; empty if it has lost none.
std::string lostGpuError() {
  if (!c10::impl::hasDeviceGuardImpl(c10::kCUDA)) return {};
  const auto* devices = c10::impl::getDeviceGuardImpl(c10::kCUDA);
  for (c10::DeviceIndex index = 0; index < devices->deviceCount(); ++index) {
    try {
      // A device that this process has not used must not be initialized here. Any call for a lost GPU fails. The whole
      // device can't be synchronized while another thread captures a graph.
      if (at::detail::getCUDAHooks().hasPrimaryContext(index)) {
        devices->synchronizeStream(devices->getStream({c10::kCUDA, index}));
      }
    } catch (const c10::Error& error) {
      if (containsAny(error.what_without_backtrace(), kLostGpu)) return error.what_without_backtrace();
    }
  }
  return {};
}

Error lostGpu(std::string_view text) {
  return {ErrorCode::kDeviceUnavailable, "Expected a GPU that works but received: " + firstSentence(text) +
                                             ". This process can no longer use the GPU; restart the process"};
}

Error describe(std::string_view text) {
  const std::string_view message = withoutSource(withoutTraceback(text));
  if (containsAny(text, kOutOfMemory)) return {ErrorCode::kOutOfMemory, firstSentence(message)};
  if (containsAny(text, kLostGpu)) return lostGpu(message);
  if (containsAny(text, kLibraryFailures)) {
    if (const std::string reason = lostGpuError(); !reason.empty()) return lostGpu(reason);
  }
  return {ErrorCode::kInternal, firstSentence(message)};
}

}  // namespace

Error describeCurrentException() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const c10::OutOfMemoryError& error) {
    return {ErrorCode::kOutOfMemory, firstSentence(error.what_without_backtrace())};
  } catch (const c10::Error& error) {
    return describe(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kOutOfMemory, "The process is out of memory"};
  } catch (const std::exception& error) {
    return describe(error.what());
  } catch (...) {
    return {ErrorCode::kInternal, "An exception that is not a std::exception was thrown"};
  }
}

}  // namespace torch_t5
