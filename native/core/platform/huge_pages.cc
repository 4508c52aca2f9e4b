#include "core/platform/huge_pages.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/accumulate.h>

#include <cstdint>
#include <memory>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace torch_t5 {
namespace {

constexpr std::uintptr_t kHugePage = std::uintptr_t{2} << 20;  // bytes; on x86-64, and on arm64 with pages of 4 KiB

[[maybe_unused]] std::uintptr_t roundUp(std::uintptr_t value) {
  return (value + kHugePage - 1) / kHugePage * kHugePage;
}

#ifdef __linux__
/// A mapping in huge pages, which its tensor frees.
struct Mapping {
  explicit Mapping(std::size_t size) : begin(mapHugePages(size)), bytes(size) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { unmapHugePages(begin, bytes); }

  void* const begin;
  const std::size_t bytes;
};
#endif

}  // namespace

#ifdef __linux__
void* mapHugePages(std::size_t bytes) {
  const std::size_t mapped = bytes + kHugePage;
  void* begin = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t aligned = roundUp(address);
  if (aligned > address) munmap(begin, aligned - address);
  const std::uintptr_t end = aligned + bytes;
  munmap(reinterpret_cast<void*>(end), address + mapped - end);
  preferHugePages(reinterpret_cast<void*>(aligned), bytes);
  return reinterpret_cast<void*>(aligned);
}

void unmapHugePages(void* begin, std::size_t bytes) noexcept { munmap(begin, bytes); }
#endif

void preferHugePages(void* begin, std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t first = roundUp(address);
  const std::uintptr_t end = (address + bytes) / kHugePage * kHugePage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#else
  static_cast<void>(begin);
  static_cast<void>(bytes);
#endif
}

at::Tensor emptyInHugePages(at::IntArrayRef shape, at::ScalarType type) {
#ifdef __linux__
  constexpr std::size_t kMinBytes = std::size_t{1} << 20;
  constexpr std::size_t kPage = std::size_t{1} << 16;  // bytes; a multiple of every system's page size
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(shape)) * c10::elementSize(type);
  if (bytes >= kMinBytes) {
    const std::size_t size = (bytes + kPage - 1) / kPage * kPage;
    auto mapping = std::make_unique<Mapping>(size);
    void* const begin = mapping->begin;
    return at::for_blob(begin, shape)
        .context(mapping.release(), [](void* owned) { delete static_cast<Mapping*>(owned); })
        .options(type)
        .make_tensor();
  }
#endif
  return at::empty(shape, type);
}

void returnFreedMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace torch_t5
