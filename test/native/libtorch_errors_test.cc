// Tests the codes of libtorch's errors by their messages, which libtorch 2.11 to 2.15 write on a GPU.
#include "engine/libtorch_errors.h"

#include <c10/util/Exception.h>

#include <array>
#include <new>

#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;

Error describe(const std::string& message) {
  try {
    throw c10::Error({__func__, __FILE__, __LINE__}, message);
  } catch (...) {
    return describeCurrentException();
  }
}

void expectCode(ErrorCode code, std::span<const char* const> messages) {
  for (const char* message : messages) {
    const Error error = describe(message);
    expect(error.code() == code,
           std::string(codeName(code)) + " but received " + std::string(codeName(error.code())) + " for: " + message);
    const std::string text = error.what();
    expect(text.find('\n') == std::string::npos, "one line: " + text);
  }
}

void outOfMemory(std::span<char*>) {
  constexpr std::array<const char*, 8> kMessages{
      "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.10 GiB of which 1.00 GiB is "
      "free.",
      "CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation' in https://docs.nvidia.com for more "
      "information.",
      "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
      "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
      "CUDA driver error: out of memory",
      "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
      "9 bytes. Error code 12",
      "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
      "The following operation failed in the TorchScript interpreter.\nRuntimeError: std::bad_alloc",
  };
  expectCode(ErrorCode::kOutOfMemory, kMessages);
  try {
    throw std::bad_alloc();
  } catch (...) {
    expect(describeCurrentException().code() == ErrorCode::kOutOfMemory, "ERR_OUT_OF_MEMORY for std::bad_alloc");
  }
}

void lostGpu(std::span<char*>) {
  constexpr std::array<const char*, 8> kMessages{
      "CUDA error: device-side assert triggered\nSearch for `cudaErrorAssert' in https://docs.nvidia.com for more "
      "information.\nCUDA kernel errors might be asynchronously reported at some other API call.",
      "CUDA error: an illegal memory access was encountered\nCompile with `TORCH_USE_CUDA_DSA`.",
      "CUDA error: unspecified launch failure",
      "CUDA error: misaligned address",
      "CUDA error: uncorrectable ECC error encountered",
      "CUDA error: unknown error",
      "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.",
      "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript, original code (most "
      "recent call last):\n  forward\nRuntimeError: CUDA error: device-side assert triggered\nCompile with more.",
  };
  expectCode(ErrorCode::kDeviceUnavailable, kMessages);
  const std::string text = describe(kMessages[0]).what();
  expect(text.find("device-side assert triggered") != std::string::npos, "the reason: " + text);
  expect(text.find("restart the process") != std::string::npos, "advice: " + text);
}

void others(std::span<char*>) {
  // A failed cuBLAS call on a machine without a lost GPU.
  constexpr std::array<const char*, 3> kMessages{
      "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa)`",
      "CUDA error: invalid argument",
      "index out of range in self",
  };
  expectCode(ErrorCode::kInternal, kMessages);
}

constexpr std::array<test::Test, 3> kTests{{
    {"running out of memory, of the process or of the GPU, is ERR_OUT_OF_MEMORY", outOfMemory},
    {"a lost GPU is ERR_DEVICE_UNAVAILABLE, with advice", lostGpu},
    {"other failures are ERR_INTERNAL", others},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
