#include "cuda/kernels.h"

#include <c10/cuda/CUDAStream.h>

#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "core/kernel_cache.h"
#include "cuda/compiler.h"
#include "cuda/device_scope.h"
#include "cuda/driver.h"

namespace torch_t5 {
namespace {

/// The first compute capability whose kernels may start before the previous one has ended: Hopper's.
constexpr int kMinMajorToStartEarly = 9;

int attribute(cudaDeviceAttr name, const at::Device& device) {
  int value = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&value, name, device.index()));
  return value;
}

class ModuleKernels final : public DeviceKernels {
 public:
  /// `image`: machine code of the device, or PTX. Throws libtorch's exception if the driver refuses it.
  ModuleKernels(const std::string& image, const at::Device& device, bool canStartEarly)
      : device_(device), canStartEarly_(canStartEarly) {
    const DeviceScope scope(device_);
    driver().check(driver().moduleLoadData(&module_, image.c_str()));
  }

  ~ModuleKernels() override {
    try {
      const DeviceScope scope(device_);
      driver().moduleUnload(module_);
    } catch (...) {
      // The GPU is lost, and the module with it.
    }
  }

  void launch(const KernelLaunch& launch, std::span<void* const> arguments) const override {
    const DeviceScope scope(device_);
    CUlaunchAttribute startsEarly{};
    startsEarly.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    startsEarly.value.programmaticStreamSerializationAllowed = 1;
    CUlaunchConfig config{};
    config.gridDimX = launch.blocksX;
    config.gridDimY = launch.blocksY;
    config.gridDimZ = 1;
    config.blockDimX = launch.threads;
    config.blockDimY = 1;
    config.blockDimZ = 1;
    config.hStream = c10::cuda::getCurrentCUDAStream(device_.index()).stream();
    config.attrs = &startsEarly;
    config.numAttrs = launch.startsEarly && canStartEarly_ ? 1 : 0;
    driver().check(
        driver().launchKernelEx(&config, find(launch.name), const_cast<void**>(arguments.data()), /*extra=*/nullptr));
  }

 private:
  CUfunction find(const char* name) const {
    const std::lock_guard lock(mutex_);
    const auto known = functions_.find(name);
    if (known != functions_.end()) return known->second;
    CUfunction function = nullptr;
    driver().check(driver().moduleGetFunction(&function, module_, name));
    return functions_.emplace(name, function).first->second;
  }

  const at::Device device_;
  const bool canStartEarly_;
  CUmodule module_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::map<std::string, CUfunction, std::less<>> functions_;
};

/// Everything that the compiled kernels depend on.
std::string keyOf(const std::string& source, const std::vector<std::string>& definitions,
                  const CompilerTarget& target) {
  std::string key = "NVRTC " + target.version + "\n" + target.architecture + "\n";
  for (const std::string& definition : definitions) key += definition + "\n";
  return key + source;
}

}  // namespace

std::unique_ptr<DeviceKernels> makeKernels(const std::string& source, const std::vector<std::string>& definitions,
                                           const at::Device& anyDevice) {
  const at::Device device = withIndex(anyDevice);
  const int major = attribute(cudaDevAttrComputeCapabilityMajor, device);
  const int minor = attribute(cudaDevAttrComputeCapabilityMinor, device);
  const CompilerTarget target = compilerTarget(major, minor);
  const KernelCache cache(kernelCacheFolder());
  const std::string key = keyOf(source, definitions, target);
  const bool canStartEarly = major >= kMinMajorToStartEarly;
  if (const std::optional<std::string> stored = cache.find(key)) {
    try {
      return std::make_unique<ModuleKernels>(*stored, device, canStartEarly);
    } catch (const c10::Error&) {
      // Compiled again, in case the stored kernels are the reason.
    }
  }
  const std::string image = compileKernels(source, definitions, target);
  auto kernels = std::make_unique<ModuleKernels>(image, device, canStartEarly);
  cache.store(key, image);
  return kernels;
}

}  // namespace torch_t5
