#include "core/platform/cuda_driver.h"

#include <array>

#include "core/platform/shared_library.h"

namespace torch_t5 {
namespace {

#ifdef _WIN32
constexpr const char* kDriver = "nvcuda.dll";
#else
constexpr const char* kDriver = "libcuda.so.1";
#endif

// The driver's C functions, as its documentation declares them. 0 means success.
using Init = int (*)(unsigned flags);
using DeviceGetCount = int (*)(int* count);
using DeviceGet = int (*)(int* device, int ordinal);
using DeviceGetName = int (*)(char* name, int length, int device);

std::vector<std::string> queryDriver() {
  void* driver = openCudaDriver();
  if (driver == nullptr) return {};
  const auto init = reinterpret_cast<Init>(findFunction(driver, "cuInit"));
  const auto getCount = reinterpret_cast<DeviceGetCount>(findFunction(driver, "cuDeviceGetCount"));
  const auto get = reinterpret_cast<DeviceGet>(findFunction(driver, "cuDeviceGet"));
  const auto getName = reinterpret_cast<DeviceGetName>(findFunction(driver, "cuDeviceGetName"));
  if (init == nullptr || getCount == nullptr || get == nullptr || getName == nullptr) return {};

  int count = 0;
  if (init(0) != 0 || getCount(&count) != 0) return {};
  std::vector<std::string> names;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    int device = 0;
    std::array<char, 256> name{};
    const bool named =
        get(&device, ordinal) == 0 && getName(name.data(), static_cast<int>(name.size()) - 1, device) == 0;
    names.emplace_back(named ? name.data() : "unknown");
  }
  return names;
}

}  // namespace

void* openCudaDriver() { return openLibrary(kDriver).handle; }

const std::vector<std::string>& cudaDeviceNames() {
  static const std::vector<std::string> names = queryDriver();
  return names;
}

}  // namespace torch_t5
