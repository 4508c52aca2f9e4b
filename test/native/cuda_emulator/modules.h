// The kernels of a decoder step, compiled for the CPU. Each module has its own set of macros.
#pragma once

#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

namespace torch_t5::emulator {

/// The macros that step_kernels.cuh states.
struct Macros {
  int rows = -1;
  int bfloat16 = -1;
  int dModel = -1;
  int dKv = -1;
  int heads = -1;
  int dFf = -1;
  int gated = -1;
  int activation = -1;
  float epsilon = -1;

  bool operator==(const Macros&) const = default;
};

struct Kernel {
  const char* name;
  void (*run)(void* const* arguments);  // one thread
};

struct Module {
  Macros macros;
  std::vector<Kernel> kernels;
};

/// All modules of the program.
std::vector<Module>& modules();

/// A kernel's argument: the value at an address.
template <class Type>
Type argumentAt(const void* address) {
  Type value;
  std::memcpy(&value, address, sizeof value);
  return value;
}

template <class... Types, std::size_t... kIndices>
void call(void (*kernel)(Types...), void* const* arguments, std::index_sequence<kIndices...>) {
  kernel(argumentAt<Types>(arguments[kIndices])...);
}

template <class... Types>
void call(void (*kernel)(Types...), void* const* arguments) {
  call(kernel, arguments, std::index_sequence_for<Types...>());
}

/// A function that calls a kernel with the arguments at some addresses.
template <auto kKernel>
void callAt(void* const* arguments) {
  call(kKernel, arguments);
}

}  // namespace torch_t5::emulator
