// Tests the library torch_t5_cuda: compiling everywhere, and the rest on a machine with a GPU, where `--list` names
// more tests. The first argument after a test's name is the path of the library.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <cstring>
#include <vector>

#include "core/cancellation.h"
#include "core/errors.h"
#include "core/platform/cuda_driver.h"
#include "core/platform/shared_library.h"
#include "cuda/compiler.h"
#include "engine/cuda_runtime.h"
#include "engine/result_copies.h"
#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;

const std::string kSource = R"(
  extern "C" __global__ void add(float* values, int count) {
    int index = blockIdx.x * blockDim.x + threadIdx.x;
    asm volatile("" ::: "memory");
    if (index < count) values[index] += ADDEND;
  })";
const std::vector<std::string> kDefinitions{"ADDEND=3.0f"};

template <class Function>
Function find(void* library, const char* name) {
  const auto function = reinterpret_cast<Function>(findFunction(library, name));
  expect(function != nullptr, std::string("the function ") + name);
  return function;
}

void* open(std::span<char*> arguments) {
  expect(!arguments.empty(), "the path of the library");
  const OpenedLibrary opened = openLibrary(arguments[0]);
  expect(opened.handle != nullptr, "a library that opens: " + opened.error);
  return opened.handle;
}

CudaRuntime& runtime(std::span<char*> arguments) {
  setCudaRuntime(find<CudaRuntime* (*)()>(open(arguments), "torch_t5_make_cuda_runtime")());
  return *cudaRuntime();
}

void opens(std::span<char*> arguments) {
  void* library = open(arguments);
  expect(
      std::strcmp(find<const char* (*)()>(library, "torch_t5_cuda_libtorch_version")(), TORCH_T5_LIBTORCH_VERSION) == 0,
      "the addon's version of libtorch");
  const auto make = find<CudaRuntime* (*)()>(library, "torch_t5_make_cuda_runtime");
  expect(make() != nullptr && make() == make(), "one runtime");
}

void compilesForKnownGpus(std::span<char*>) {
  const CompilerTarget target = compilerTarget(9, 0);
  expect(target.architecture == "sm_90" && target.isBinary, "machine code for Hopper");
  const std::string image = compileKernels(kSource, kDefinitions, target);
  expect(image.starts_with("\x7f"
                           "ELF"),
         "machine code");
  expect(image != compileKernels(kSource, {"ADDEND=4.0f"}, target), "the definitions to be used");
}

void compilesForNewGpus(std::span<char*>) {
  const CompilerTarget target = compilerTarget(99, 0);
  expect(target.architecture.starts_with("compute_") && !target.isBinary, "PTX for a GPU of the future");
  expect(compileKernels(kSource, kDefinitions, target).find(".entry add") != std::string::npos, "PTX");
}

template <class Function>
Error errorOf(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error;
  }
  throw std::runtime_error("expected an error");
}

void refusesBadSource(std::span<char*>) {
  const Error error =
      errorOf([] { compileKernels("__global__ void f() { undeclared = 1; }", {}, compilerTarget(9, 0)); });
  const std::string message = error.what();
  expect(error.code() == ErrorCode::kInternal, "ERR_INTERNAL");
  expect(message.find("undeclared") != std::string::npos && message.find('\n') == std::string::npos,
         "the first error in one line: " + message);
  expect(errorOf([] { compilerTarget(1, 0); }).code() == ErrorCode::kDeviceUnavailable,
         "ERR_DEVICE_UNAVAILABLE for a GPU that is too old");
}

at::Tensor onGpu(double value, std::int64_t count) {
  return at::full({count}, value, at::TensorOptions(at::kCUDA).dtype(at::kFloat));
}

double firstOf(const at::Tensor& tensor) { return tensor.flatten()[0].item<double>(); }

void replays(std::span<char*> arguments) {
  const at::Tensor values = onGpu(1, 1000);
  at::Tensor sum;
  const auto graph = runtime(arguments).capture(at::kCUDA, [&] {
    const at::Tensor dropped = values + 1;
    values.copy_(dropped * 2);
    sum = values.sum();
  });
  expect(firstOf(values) == 1, "nothing to run while it is recorded");
  for (int i = 0; i < 3; ++i) {
    const at::Tensor other = onGpu(7, 1000);  // must not get the graph's memory
    graph->replay();
    expect(firstOf(other) == 7, "other tensors to be untouched");
  }
  expect(firstOf(values) == 22 && firstOf(sum) == 22000, "three replays");
}

void survivesFailedCaptures(std::span<char*> arguments) {
  CudaRuntime& cuda = runtime(arguments);
  const at::Tensor values = onGpu(1, 1000);
  for (int i = 0; i < 50; ++i) {
    const Error error = errorOf([&] {
      cuda.capture(at::kCUDA, [&] {
        values.add_(1);
        throw aborted();
      });
    });
    expect(error.code() == ErrorCode::kAborted, "what `record` throws");
    bool failed = false;
    try {
      cuda.capture(at::kCUDA, [&] { values.add_(1).sum().item<float>(); });
    } catch (const c10::Error&) {
      failed = true;
    }
    expect(failed, "a refusal to wait for the device");
  }
  expect(firstOf(values) == 1, "nothing to have run");
  const auto graph = cuda.capture(at::kCUDA, [&] { values.add_(1); });
  graph->replay();
  expect(firstOf(values) == 2, "the next capture to work");
}

void launches(std::span<char*> arguments) {
  CudaRuntime& cuda = runtime(arguments);
  for (int i = 0; i < 2; ++i) {  // compiled, and from the cache
    const auto kernels = cuda.compile(kSource, kDefinitions, at::kCUDA);
    const at::Tensor values = onGpu(1, 1000);
    void* data = values.data_ptr();
    int count = 1000;
    const std::array<void*, 2> parameters{&data, &count};
    kernels->launch({.name = "add", .blocksX = 4, .threads = 256}, parameters);
    kernels->launch({.name = "add", .blocksX = 4, .threads = 256, .startsEarly = true}, parameters);
    const auto graph = cuda.capture(at::kCUDA, [&] {
      kernels->launch({.name = "add", .blocksX = 4, .threads = 256}, parameters);
      kernels->launch({.name = "add", .blocksX = 4, .threads = 256, .startsEarly = true}, parameters);
    });
    graph->replay();
    expect(firstOf(values) == 13, "four launches");
  }
}

void copiesResults(std::span<char*> arguments) {
  runtime(arguments);
  const at::Tensor first = at::arange(1 << 20, at::TensorOptions(at::kCUDA).dtype(at::kLong));
  for (int i = 0; i < 20; ++i) {
    ResultCopies copies;
    const at::Tensor small = copies.add(first.slice(0, 0, 10), at::kInt);
    const at::Tensor large = copies.add(first + i, at::kInt);
    const at::Tensor floats = copies.add(first.view({1024, 1024}).t(), at::kFloat);
    copies.wait();
    expect(large.storage().nbytes() == large.nbytes() && large.storage().use_count() == 1, "results that own memory");
    expect(small[9].item<int>() == 9 && large[12345].item<int>() == 12345 + i, "int32 results");
    expect(floats[1][0].item<float>() == 1 && floats[0][1].item<float>() == 1024, "a contiguous float32 result");
    expect(large.equal((first + i).to(at::kInt).cpu()), "every number");
  }
}

constexpr std::array<test::Test, 4> kTests{{
    {"opens without a GPU, and was built with the addon's libtorch", opens},
    {"compiles machine code for a GPU that the compiler knows", compilesForKnownGpus},
    {"compiles PTX for a GPU that is newer than the compiler", compilesForNewGpus},
    {"states the first error of a source that does not compile", refusesBadSource},
}};

constexpr std::array<test::Test, 4> kGpuTests{{
    {"replays a graph, whose memory is its own", replays},
    {"survives captures that fail", survivesFailedCaptures},
    {"launches kernels, also in a graph", launches},
    {"copies results into pinned memory", copiesResults},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) {
  using namespace torch_t5;
  const c10::InferenceMode inferenceMode;
  std::vector<test::Test> tests(kTests.begin(), kTests.end());
  if (!cudaDeviceNames().empty()) tests.insert(tests.end(), kGpuTests.begin(), kGpuTests.end());
  return test::runNamed(tests, argc, argv);
}
