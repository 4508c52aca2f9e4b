#include "engine/device.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <charconv>
#include <filesystem>
#include <mutex>
#include <optional>

#include "core/errors.h"
#include "core/platform/cuda_driver.h"
#include "core/platform/shared_library.h"

namespace torch_t5 {
namespace {

#ifdef _WIN32
constexpr const char* kCudaLibrary = "torch_cuda.dll";
#else
constexpr const char* kCudaLibrary = "libtorch_cuda.so";
#endif

Error unavailable(const std::string& wanted, const std::string& reason, const std::string& repair) {
  return {ErrorCode::kDeviceUnavailable,
          "Expected a usable device for device but received " + wanted + ": " + reason + ". " + repair};
}

/// The ordinal in "cuda" or "cuda:N".
std::optional<int> cudaOrdinal(const std::string& wanted) {
  if (wanted == "cuda") return 0;
  constexpr std::string_view kPrefix = "cuda:";
  if (!wanted.starts_with(kPrefix)) return std::nullopt;
  int ordinal = 0;
  const char* end = wanted.data() + wanted.size();
  const auto [stop, error] = std::from_chars(wanted.data() + kPrefix.size(), end, ordinal);
  if (error != std::errc() || stop != end || ordinal < 0) return std::nullopt;
  return ordinal;
}

/// Opens libtorch's CUDA part once per process; returns why it can't be used, or nothing.
std::optional<std::string> openCuda(const std::string& libtorchDirectory) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (c10::impl::hasDeviceGuardImpl(c10::kCUDA)) return std::nullopt;
  const std::filesystem::path library = std::filesystem::path(libtorchDirectory) / kCudaLibrary;
  std::error_code ignored;
  if (!std::filesystem::exists(library, ignored)) return "this libtorch is a build without CUDA";
  if (const OpenedLibrary opened = openLibrary(library.string()); opened.handle == nullptr) {
    return "libtorch's CUDA part can't be opened: " + opened.error;
  }
  if (!c10::impl::hasDeviceGuardImpl(c10::kCUDA)) return "this libtorch registers no CUDA device";
  return std::nullopt;
}

/// How many devices libtorch itself can use: 0 when the driver is too old for it.
int usableCudaDevices() { return c10::impl::getDeviceGuardImpl(c10::kCUDA)->deviceCount(); }

c10::Device cudaDevice(const std::string& wanted, int ordinal, const std::string& libtorchDirectory) {
  const std::string useCpu = "Use device: \"cpu\", or ";
  if (cudaDeviceNames().empty()) {
    throw unavailable(wanted, "no NVIDIA driver with a GPU was found",
                      useCpu + "install the driver (nvidia-smi shows the GPU when it works)");
  }
  if (const auto reason = openCuda(libtorchDirectory)) {
    throw unavailable(wanted, *reason, useCpu + "install a CUDA build of torch with its nvidia packages");
  }
  const int count = usableCudaDevices();
  if (count == 0) {
    throw unavailable(wanted, "libtorch can use none of the driver's GPUs", useCpu + "update the NVIDIA driver");
  }
  if (ordinal >= count) {
    throw unavailable(wanted, "there are " + std::to_string(count) + " CUDA devices",
                      "Use one from cuda:0 to cuda:" + std::to_string(count - 1));
  }
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(ordinal)};
}

}  // namespace

c10::Device resolveDevice(const std::string& wanted, const std::string& libtorchDirectory) {
  if (wanted == "cpu") return c10::kCPU;
  if (wanted == "auto") {
    const bool useCuda =
        !cudaDeviceNames().empty() && !openCuda(libtorchDirectory).has_value() && usableCudaDevices() > 0;
    return useCuda ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
  }
  if (const auto ordinal = cudaOrdinal(wanted)) return cudaDevice(wanted, *ordinal, libtorchDirectory);
  throw Error(ErrorCode::kInvalidArgument,
              "Expected \"auto\", \"cpu\", \"cuda\" or \"cuda:N\" for device but received " + wanted);
}

}  // namespace torch_t5
