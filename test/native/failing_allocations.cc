// Makes allocations of torch-t5 and of libtorch fail on request, and counts memory in use. The program under test runs
// with this library in LD_PRELOAD, and loads it as an addon as well: `failAt(n, minBytes)` lets the n-th allocation of
// at least `minBytes` from now on fail, 0 none; `failedCount()` returns how many have failed; `liveBytes()` returns the
// bytes in use of the heap, and of the mappings that torch-t5 and libtorch made.
#include <dlfcn.h>
#include <malloc.h>
#include <node_api.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

namespace {

std::atomic<std::int64_t> left{0};  // until the one that fails; 0: none fails
std::atomic<std::size_t> minBytes{0};
std::atomic<std::int64_t> failed{0};
std::atomic<std::int64_t> mappedBytes{0};

/// Whether the code at an address belongs to what is tested: Node.js itself ends when it is out of memory.
bool isTested(const void* address) {
  Dl_info info;
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return false;
  const std::string_view file(info.dli_fname);
  constexpr std::array<std::string_view, 3> kTested{"/libc10.so", "/libtorch_cpu.so", "/torch_t5.node"};
  for (const std::string_view name : kTested) {
    if (file.ends_with(name)) return true;
  }
  return false;
}

bool fails(std::size_t bytes, const void* caller) {
  if (left.load(std::memory_order_relaxed) <= 0 || bytes < minBytes.load(std::memory_order_relaxed)) return false;
  if (!isTested(caller) || left.fetch_sub(1) != 1) return false;
  failed.fetch_add(1);
  return true;
}

/// Whole pages, as the system maps and unmaps them.
std::int64_t wholePages(std::size_t bytes) {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return static_cast<std::int64_t>((bytes + page - 1) / page * page);
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// libtorch's tensors.
extern "C" __attribute__((visibility("default"))) int posix_memalign(void** memory, std::size_t alignment,
                                                                     std::size_t bytes) noexcept {
  if (fails(bytes, __builtin_return_address(0))) return ENOMEM;
  static const auto real = next<int (*)(void**, std::size_t, std::size_t)>("posix_memalign");
  return real(memory, alignment, bytes);
}

// Weights, caches and scratch memory.
extern "C" __attribute__((visibility("default"))) void* mmap(void* address, std::size_t bytes, int protection,
                                                             int flags, int file, off_t offset) noexcept {
  const void* const caller = __builtin_return_address(0);
  if ((flags & MAP_ANONYMOUS) != 0 && fails(bytes, caller)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  static const auto real = next<void* (*)(void*, std::size_t, int, int, int, off_t)>("mmap");
  void* const begin = real(address, bytes, protection, flags, file, offset);
  if (begin != MAP_FAILED && isTested(caller)) mappedBytes.fetch_add(wholePages(bytes));
  return begin;
}

extern "C" __attribute__((visibility("default"))) int munmap(void* begin, std::size_t bytes) noexcept {
  static const auto real = next<int (*)(void*, std::size_t)>("munmap");
  const int result = real(begin, bytes);
  if (result == 0 && isTested(__builtin_return_address(0))) mappedBytes.fetch_sub(wholePages(bytes));
  return result;
}

// Containers.
__attribute__((visibility("default"))) void* operator new(std::size_t bytes) {
  if (fails(bytes, __builtin_return_address(0))) throw std::bad_alloc();
  static const auto real = next<void* (*)(std::size_t)>("_Znwm");
  return real(bytes);
}

namespace {

napi_value failAt(napi_env env, napi_callback_info info) {
  std::size_t count = 2;
  std::array<napi_value, 2> arguments{};
  napi_get_cb_info(env, info, &count, arguments.data(), nullptr, nullptr);
  std::array<std::int64_t, 2> values{};
  for (std::size_t index = 0; index < values.size(); ++index)
    napi_get_value_int64(env, arguments[index], &values[index]);
  minBytes = static_cast<std::size_t>(values[1]);
  left = values[0];
  return nullptr;
}

napi_value failedCount(napi_env env, napi_callback_info) {
  napi_value count = nullptr;
  napi_create_int64(env, failed.load(), &count);
  return count;
}

napi_value liveBytes(napi_env env, napi_callback_info) {
  const auto heap = mallinfo2();  // of all arenas, what the heap itself keeps for later allocations left out
  napi_value bytes = nullptr;
  napi_create_int64(env, static_cast<std::int64_t>(heap.uordblks + heap.hblkhd) + mappedBytes.load(), &bytes);
  return bytes;
}

}  // namespace

NAPI_MODULE_INIT() {
  constexpr std::array<std::pair<const char*, napi_callback>, 3> kFunctions{{
      {"failAt", failAt},
      {"failedCount", failedCount},
      {"liveBytes", liveBytes},
  }};
  for (const auto& [name, function] : kFunctions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
