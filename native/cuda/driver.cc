#include "cuda/driver.h"

#include <c10/util/Exception.h>

#include <string>

#include "core/errors.h"
#include "core/platform/cuda_driver.h"
#include "core/platform/shared_library.h"

namespace torch_t5 {
namespace {

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = library == nullptr ? nullptr : reinterpret_cast<Function>(findFunction(library, name));
  if (function != nullptr) return;
  throw Error(ErrorCode::kDeviceUnavailable,
              "Expected an NVIDIA driver with " + std::string(name) + " but found none; update the driver");
}

Driver findDriver() {
  void* library = openCudaDriver();
  Driver driver;
  find(library, "cuModuleLoadData", driver.moduleLoadData);
  find(library, "cuModuleUnload", driver.moduleUnload);
  find(library, "cuModuleGetFunction", driver.moduleGetFunction);
  find(library, "cuLaunchKernelEx", driver.launchKernelEx);
  find(library, "cuGetErrorString", driver.getErrorString);
  return driver;
}

}  // namespace

void Driver::check(CUresult result) const {
  if (result == CUDA_SUCCESS) return;
  const char* text = nullptr;
  getErrorString(result, &text);
  TORCH_CHECK(false, "CUDA error: ", text == nullptr ? std::to_string(static_cast<int>(result)) : std::string(text));
}

const Driver& driver() {
  static const Driver found = findDriver();
  return found;
}

}  // namespace torch_t5
