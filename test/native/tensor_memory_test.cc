// Tests the memory that large tensors reuse.
#include "core/tensor_memory.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/resource.h>
#endif

#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kLogits = 4 * 32128;  // of four beams

void reuses(std::span<char*>) {
  const TensorMemory memory;
  const TensorMemory::Scope scope(&memory);
  for (const std::int64_t size : {std::int64_t{5000}, kLogits, kMiB}) {
    const void* first = at::empty({size}, at::kFloat).data_ptr();
    expect(memory.freeBytes() >= static_cast<std::size_t>(size) * sizeof(float), "the released block to be kept");
    const at::Tensor second = at::empty({size - size / 8}, at::kFloat);
    expect(second.data_ptr() == first, "the same block for a similar size");
    const at::Tensor third = at::empty({size}, at::kFloat);
    expect(third.data_ptr() != first, "another block while the first is in use");
  }
}

void keepsNothingSmallOrUnscoped(std::span<char*>) {
  const TensorMemory memory;
  {
    const TensorMemory::Scope scope(&memory);
    at::empty({10}, at::kFloat);
    const TensorMemory::Scope none(nullptr);
    at::empty({kLogits}, at::kFloat);
  }
  at::empty({kLogits}, at::kFloat);
  expect(memory.freeBytes() == 0, "no blocks");
}

void aligns(std::span<char*>) {
  const TensorMemory memory;
  for (const TensorMemory* used : std::array<const TensorMemory*, 2>{nullptr, &memory}) {
    const TensorMemory::Scope scope(used);
    for (const std::int64_t size : {std::int64_t{1}, std::int64_t{3000}, kLogits, kMiB + 1}) {
      const at::Tensor tensor = at::empty({size}, at::kFloat);
      expect(reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0, "the alignment of libtorch's own memory");
    }
  }
  expect(at::empty({0}, at::kFloat).numel() == 0, "an empty tensor");
}

void limitsFreeMemory(std::span<char*>) {
  const TensorMemory memory;
  const TensorMemory::Scope scope(&memory);
  std::vector<at::Tensor> tensors;
  for (int count = 0; count < 20; ++count) tensors.push_back(at::empty({count + 1, kMiB}, at::kFloat));  // 840 MiB
  tensors.clear();
  expect(memory.freeBytes() > 0 && memory.freeBytes() <= std::size_t{128} << 20, "at most 128 MiB of free blocks");
}

void outlivesItsMemory(std::span<char*>) {
  at::Tensor tensor;
  {
    const TensorMemory memory;
    const TensorMemory::Scope scope(&memory);
    tensor = at::ones({kLogits}, at::kFloat);
  }
  expect(tensor.sum().item<float>() == static_cast<float>(kLogits), "the tensor to keep its numbers");
  std::thread([&] { tensor.reset(); }).join();
}

void keepsNothingAfterItsEnd(std::span<char*>) {
  TensorMemory memory;
  const TensorMemory::Scope scope(&memory);
  at::empty({kLogits}, at::kFloat);
  memory.close();
  at::empty({kLogits}, at::kFloat);
  expect(memory.freeBytes() == 0, "no blocks");
}

void freesOnOtherThreads(std::span<char*>) {
  const TensorMemory memory;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&memory] {
      const TensorMemory::Scope scope(&memory);
      for (std::int64_t round = 0; round < 200; ++round) {
        at::Tensor tensor = at::full({4096 + round * 64}, static_cast<double>(round), at::kFloat);
        std::thread([tensor = std::move(tensor), round] {
          expect(tensor.max().item<float>() == static_cast<float>(round), "numbers of its own");
        }).join();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void allocatesWithoutTensors(std::span<char*>) {
  // As oneDNN does.
  const TensorMemory memory;
  const TensorMemory::Scope scope(&memory);
  c10::Allocator* const allocator = c10::GetAllocator(c10::DeviceType::CPU);
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{1} << 16, std::size_t{2} << 20}) {
    void* const data = allocator->raw_allocate(bytes);
    const at::DataPtr copy = allocator->clone(data, bytes);
    expect(copy.get() != data, "a copy");
    allocator->raw_deallocate(data);
  }
}

#ifdef __linux__
/// Page faults of this thread that needed no disk.
long faults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

void stepsWithoutFaults(std::span<char*>) {
  const TensorMemory memory;
  const TensorMemory::Scope scope(&memory);
  at::set_num_threads(1);
  const at::Tensor logits = at::rand({4, 32128});
  const auto step = [&] {
    const at::Tensor scores = at::log_softmax(logits, -1);
    return (scores + 1).masked_fill(scores > 0, 0);
  };
  for (int count = 0; count < 5; ++count) step();
  constexpr int kSteps = 100;
  const long before = faults();
  for (int count = 0; count < kSteps; ++count) step();
  // One pass over the logits alone would have 126 faults. The kernel may move a page at any time.
  expect(faults() - before < kSteps, "steps without page faults, not " + std::to_string(faults() - before));
}
#endif

constexpr std::array kTests{
    test::Test{"gives a released block to the next tensor of about the same size", reuses},
    test::Test{"keeps no small block, and none of a tensor made without a scope", keepsNothingSmallOrUnscoped},
    test::Test{"aligns tensors as libtorch does", aligns},
    test::Test{"limits the free memory", limitsFreeMemory},
    test::Test{"lets tensors outlive it", outlivesItsMemory},
    test::Test{"keeps nothing after it was closed", keepsNothingAfterItsEnd},
    test::Test{"takes blocks back from other threads", freesOnOtherThreads},
    test::Test{"serves allocations without a tensor", allocatesWithoutTensors},
#ifdef __linux__
    test::Test{"repeats the operators of a step without page faults", stepsWithoutFaults},
#endif
};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
