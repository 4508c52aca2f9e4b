#include "engine/cuda_library.h"

#include <cstring>
#include <mutex>
#include <optional>

#include "core/platform/files.h"
#include "core/platform/shared_library.h"
#include "engine/cuda_runtime.h"

namespace torch_t5 {
namespace {

#ifdef _WIN32
constexpr const char* kLibrary = "torch_t5_cuda.dll";
#else
constexpr const char* kLibrary = "torch_t5_cuda.so";
#endif

// The functions that native/cuda/library.cc exports.
using LibtorchVersion = const char* (*)();
using MakeCudaRuntime = CudaRuntime* (*)();

struct State {
  std::mutex mutex;
  bool isOpened = false;
  std::string failure;  // why the opened library can't be used
};

State& state() {
  static State processState;
  return processState;
}

/// Beside the addon, or the program, that contains this function.
std::string libraryPath() { return pathIn(folderOf(reinterpret_cast<const void*>(&openCudaLibrary)), kLibrary); }

/// Returns the reason if the library can't be used.
std::string open(const std::string& path) {
  const OpenedLibrary opened = openLibrary(path);
  if (opened.handle == nullptr) return "torch_t5_cuda can't be opened: " + opened.error;
  const auto version = reinterpret_cast<LibtorchVersion>(findFunction(opened.handle, "torch_t5_cuda_libtorch_version"));
  const auto make = reinterpret_cast<MakeCudaRuntime>(findFunction(opened.handle, "torch_t5_make_cuda_runtime"));
  if (version == nullptr || make == nullptr) return "torch_t5_cuda is not a library of this addon";
  if (std::strcmp(version(), TORCH_T5_LIBTORCH_VERSION) != 0) {
    return "torch_t5_cuda was built with libtorch " + std::string(version()) + ", the addon with " +
           TORCH_T5_LIBTORCH_VERSION;
  }
  setCudaRuntime(make());
  return {};
}

}  // namespace

void openCudaLibrary() {
  const std::lock_guard lock(state().mutex);
  if (state().isOpened) return;
  const std::string path = libraryPath();
  if (!fileExists(path)) return;
  state().isOpened = true;
  state().failure = open(path);
}

std::string cudaLibraryState() {
  const std::lock_guard lock(state().mutex);
  if (cudaRuntime() != nullptr) return "loaded";
  if (!state().failure.empty()) return state().failure;
  if (fileExists(libraryPath())) return "available";
  return "torch_t5_cuda was not built with the addon, because libtorch has no CUDA or CUDA's headers were not found";
}

}  // namespace torch_t5
