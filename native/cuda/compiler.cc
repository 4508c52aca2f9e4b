#include "cuda/compiler.h"

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string_view>

#include "core/errors.h"
#include "core/platform/shared_library.h"

namespace torch_t5 {
namespace {

// NVRTC's C functions, as its documentation declares them. 0 means success. Its header is not installed with libtorch.
using Program = void*;
using Version = int (*)(int* major, int* minor);
using GetNumSupportedArchs = int (*)(int* count);
using GetSupportedArchs = int (*)(int* architectures);
using CreateProgram = int (*)(Program* program, const char* source, const char* name, int headerCount,
                              const char* const* headers, const char* const* includeNames);
using DestroyProgram = int (*)(Program* program);
using CompileProgram = int (*)(Program program, int optionCount, const char* const* options);
using GetSize = int (*)(Program program, std::size_t* bytes);
using GetText = int (*)(Program program, char* text);
using GetErrorString = const char* (*)(int result);

struct Nvrtc {
  Version version = nullptr;
  GetNumSupportedArchs getNumSupportedArchs = nullptr;
  GetSupportedArchs getSupportedArchs = nullptr;
  CreateProgram createProgram = nullptr;
  DestroyProgram destroyProgram = nullptr;
  CompileProgram compileProgram = nullptr;
  GetSize getLogSize = nullptr;
  GetText getLog = nullptr;
  GetSize getBinarySize = nullptr;
  GetText getBinary = nullptr;
  GetSize getPtxSize = nullptr;
  GetText getPtx = nullptr;
  GetErrorString getErrorString = nullptr;

  void check(int result) const {
    if (result != 0) throw Error(ErrorCode::kInternal, std::string("NVRTC failed: ") + getErrorString(result));
  }
};

/// The major version of libtorch's CUDA, 13 for CUDA 13.0.
int cudaMajorVersion() { return static_cast<int>(at::detail::getCUDAHooks().versionCUDART() / 1000); }

/// The paths where NVRTC may be, the one that libtorch has usually opened first.
std::vector<std::string> candidates() {
  namespace fs = std::filesystem;
  const std::string major = std::to_string(cudaMajorVersion());
  const fs::path libtorch = folderOf(reinterpret_cast<const void*>(&at::cuda::graph_pool_handle));
#ifdef _WIN32
  const std::string name = "nvrtc64_" + major + "0_0.dll";
  return {name, (libtorch / name).string()};
#else
  const std::string name = "libnvrtc.so." + major;
  // Python's packages: torch/lib, and nvidia/ beside torch. Their names changed with CUDA 13.
  const fs::path nvidia = libtorch.parent_path().parent_path() / "nvidia";
  return {name, (nvidia / ("cu" + major) / "lib" / name).string(), (nvidia / "cuda_nvrtc" / "lib" / name).string(),
          (libtorch / name).string()};
#endif
}

void* openNvrtc() {
  std::string reason;
  for (const std::string& path : candidates()) {
    const OpenedLibrary opened = openLibrary(path);
    if (opened.handle != nullptr) return opened.handle;
    if (reason.empty()) reason = opened.error;
  }
  throw Error(ErrorCode::kDeviceUnavailable,
              "Expected NVIDIA's compiler library (NVRTC) beside libtorch but received: " + reason +
                  "; install a CUDA build of torch with its nvidia packages");
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(findFunction(library, name));
  if (function != nullptr) return;
  throw Error(ErrorCode::kDeviceUnavailable, "Expected NVIDIA's compiler library to have " + std::string(name) +
                                                 " but received an older one; update torch's nvidia packages");
}

Nvrtc findNvrtc() {
  void* library = openNvrtc();
  Nvrtc nvrtc;
  find(library, "nvrtcVersion", nvrtc.version);
  find(library, "nvrtcGetNumSupportedArchs", nvrtc.getNumSupportedArchs);
  find(library, "nvrtcGetSupportedArchs", nvrtc.getSupportedArchs);
  find(library, "nvrtcCreateProgram", nvrtc.createProgram);
  find(library, "nvrtcDestroyProgram", nvrtc.destroyProgram);
  find(library, "nvrtcCompileProgram", nvrtc.compileProgram);
  find(library, "nvrtcGetProgramLogSize", nvrtc.getLogSize);
  find(library, "nvrtcGetProgramLog", nvrtc.getLog);
  find(library, "nvrtcGetCUBINSize", nvrtc.getBinarySize);
  find(library, "nvrtcGetCUBIN", nvrtc.getBinary);
  find(library, "nvrtcGetPTXSize", nvrtc.getPtxSize);
  find(library, "nvrtcGetPTX", nvrtc.getPtx);
  find(library, "nvrtcGetErrorString", nvrtc.getErrorString);
  return nvrtc;
}

const Nvrtc& nvrtc() {
  static const Nvrtc found = findNvrtc();
  return found;
}

/// Destroys a program with its owner.
struct ProgramDeleter {
  using pointer = Program;
  void operator()(Program program) const { nvrtc().destroyProgram(&program); }
};
using OwnedProgram = std::unique_ptr<void, ProgramDeleter>;

OwnedProgram createProgram(const std::string& source) {
  Program program = nullptr;
  nvrtc().check(nvrtc().createProgram(&program, source.c_str(), "kernels.cu", 0, nullptr, nullptr));
  return OwnedProgram(program);
}

std::string textOf(Program program, GetSize getSize, GetText getText) {
  std::size_t bytes = 0;
  nvrtc().check(getSize(program, &bytes));
  std::string text(bytes, '\0');
  nvrtc().check(getText(program, text.data()));
  return text;
}

/// The first line of a compiler's log that is an error.
std::string firstError(std::string_view log) {
  std::size_t begin = log.find("error");
  begin = begin == std::string_view::npos ? 0 : log.rfind('\n', begin) + 1;
  const std::string_view line = log.substr(begin);
  return std::string(line.substr(0, line.find_first_of(std::string_view("\n\0", 2))));
}

}  // namespace

CompilerTarget compilerTarget(int major, int minor) {
  int versionMajor = 0;
  int versionMinor = 0;
  nvrtc().check(nvrtc().version(&versionMajor, &versionMinor));
  int count = 0;
  nvrtc().check(nvrtc().getNumSupportedArchs(&count));
  std::vector<int> supported(static_cast<std::size_t>(count));  // 90 for compute capability 9.0, in ascending order
  nvrtc().check(nvrtc().getSupportedArchs(supported.data()));

  const int wanted = major * 10 + minor;
  const auto newer = std::upper_bound(supported.begin(), supported.end(), wanted);
  if (newer == supported.begin()) {
    throw Error(ErrorCode::kDeviceUnavailable,
                "Expected a GPU that NVIDIA's compiler library supports but received "
                "one of compute capability " +
                    std::to_string(major) + "." + std::to_string(minor));
  }
  const int newest = *(newer - 1);
  const bool isBinary = newest == wanted;
  return {
      .architecture = (isBinary ? "sm_" : "compute_") + std::to_string(newest),
      .isBinary = isBinary,
      .version = std::to_string(versionMajor) + "." + std::to_string(versionMinor),
  };
}

std::string compileKernels(const std::string& source, const std::vector<std::string>& definitions,
                           const CompilerTarget& target) {
  std::vector<std::string> options{"--gpu-architecture=" + target.architecture, "--std=c++20"};
  for (const std::string& definition : definitions) options.push_back("--define-macro=" + definition);
  std::vector<const char*> arguments;
  for (const std::string& option : options) arguments.push_back(option.c_str());

  const OwnedProgram program = createProgram(source);
  if (nvrtc().compileProgram(program.get(), static_cast<int>(arguments.size()), arguments.data()) != 0) {
    throw Error(ErrorCode::kInternal, "Expected CUDA source that compiles but received: " +
                                          firstError(textOf(program.get(), nvrtc().getLogSize, nvrtc().getLog)));
  }
  return target.isBinary ? textOf(program.get(), nvrtc().getBinarySize, nvrtc().getBinary)
                         : textOf(program.get(), nvrtc().getPtxSize, nvrtc().getPtx);
}

}  // namespace torch_t5
