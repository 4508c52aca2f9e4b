#include "engine/device.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <charconv>
#include <mutex>
#include <optional>

#include "core/errors.h"
#include "core/platform/cuda_driver.h"
#include "core/platform/files.h"
#include "core/platform/shared_library.h"
#include "engine/cuda_library.h"

namespace torch_t5 {
namespace {

#ifdef _WIN32
constexpr const char* kCudaLibrary = "torch_cuda.dll";
#else
constexpr const char* kCudaLibrary = "libtorch_cuda.so";
#endif

Error unavailable(const std::string& name, const std::string& reason, const std::string& advice) {
  return {ErrorCode::kDeviceUnavailable,
          "Expected a usable device for device but received " + name + ": " + reason + ". " + advice};
}

/// The ordinal of "cuda" or "cuda:N"; none for another name.
std::optional<int> cudaOrdinal(const std::string& name) {
  if (name == "cuda") return 0;
  constexpr std::string_view kPrefix = "cuda:";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int ordinal = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, ordinal);
  if (error != std::errc() || stop != end || ordinal < 0) return std::nullopt;
  return ordinal;
}

/// Opens libtorch's CUDA library. Returns the reason if it cannot be used.
std::optional<std::string> openLibtorchCuda(const std::string& libtorchDirectory) {
  if (c10::impl::hasDeviceGuardImpl(c10::kCUDA)) return std::nullopt;
  const std::string library = pathIn(libtorchDirectory, kCudaLibrary);
  if (!fileExists(library)) return "this libtorch is a build without CUDA";
  if (const OpenedLibrary opened = openLibrary(library); opened.handle == nullptr) {
    return "libtorch's CUDA library can't be opened: " + opened.error;
  }
  if (!c10::impl::hasDeviceGuardImpl(c10::kCUDA)) return "this libtorch registers no CUDA device";
  return std::nullopt;
}

/// Opens libtorch's CUDA library, and torch_t5_cuda if it is there, once per process. Returns the reason if the former
/// cannot be used.
std::optional<std::string> openCuda(const std::string& libtorchDirectory) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (const auto reason = openLibtorchCuda(libtorchDirectory)) return reason;
  openCudaLibrary();
  return std::nullopt;
}

/// The number of devices that libtorch can use: 0 if the driver is too old.
int usableCudaDevices() { return c10::impl::getDeviceGuardImpl(c10::kCUDA)->deviceCount(); }

c10::Device cudaDevice(const std::string& name, int ordinal, const std::string& libtorchDirectory) {
  const std::string useCpu = "Use device: \"cpu\", or ";
  if (cudaDeviceNames().empty()) {
    throw unavailable(name, "no NVIDIA driver with a GPU was found",
                      useCpu + "install the driver (nvidia-smi shows the GPU when it works)");
  }
  if (const auto reason = openCuda(libtorchDirectory)) {
    throw unavailable(name, *reason, useCpu + "install a CUDA build of torch with its nvidia packages");
  }
  const int count = usableCudaDevices();
  if (count == 0) {
    throw unavailable(name, "libtorch can use none of the driver's GPUs", useCpu + "update the NVIDIA driver");
  }
  if (ordinal >= count) {
    throw unavailable(name, "there are " + std::to_string(count) + " CUDA devices",
                      "Use one from cuda:0 to cuda:" + std::to_string(count - 1));
  }
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(ordinal)};
}

}  // namespace

c10::Device resolveDevice(const std::string& name, const std::string& libtorchDirectory) {
  if (name == "cpu") return c10::kCPU;
  if (name == "auto") {
    const bool useCuda =
        !cudaDeviceNames().empty() && !openCuda(libtorchDirectory).has_value() && usableCudaDevices() > 0;
    return useCuda ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
  }
  if (const auto ordinal = cudaOrdinal(name)) return cudaDevice(name, *ordinal, libtorchDirectory);
  throw invalidArgument("\"auto\", \"cpu\", \"cuda\" or \"cuda:N\"", "device", name);
}

}  // namespace torch_t5
