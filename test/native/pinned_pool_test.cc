// Tests the pool of pinned memory with memory of the heap, so that it also builds with the sanitizers in seconds.
#include "core/pinned_pool.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Memory of the heap that counts its allocations, and refuses them on request.
class FakeMemory {
 public:
  PinnedPool::Memory memory() {
    return {
        .allocate = [this](std::size_t bytes) -> void* {
          if (isExhausted) return nullptr;
          ++allocations;
          ++live;
          return std::malloc(bytes);
        },
        .free =
            [this](void* begin) {
              --live;
              std::free(begin);
            },
    };
  }

  std::atomic<bool> isExhausted = false;
  std::atomic<int> allocations = 0;
  std::atomic<int> live = 0;
};

void addsLittle(std::span<char*>) {
  for (const std::size_t bytes : {std::size_t{65536}, 100 * std::size_t{1000}, kMiB + 1, 100 * kMiB + 12345}) {
    const std::size_t size = PinnedPool::bufferSize(bytes);
    expect(size >= bytes && size <= bytes + bytes / 8 + 4096, "a buffer of about " + std::to_string(bytes) + " bytes");
  }
}

void reuses(std::span<char*>) {
  FakeMemory fake;
  PinnedPool pool(fake.memory(), {.totalBytes = 100 * kMiB, .idleBytes = 50 * kMiB});
  void* first = pool.take(kMiB);
  pool.giveBack(first);
  void* second = pool.take(kMiB - 1000);
  expect(second == first && fake.allocations == 1, "the same buffer for a similar size");
  pool.giveBack(second);
  void* small = pool.take(kMiB / 2);
  expect(small != first && fake.allocations == 2, "no large buffer for a small result");
  pool.giveBack(small);
}

void takesTheBestFit(std::span<char*>) {
  FakeMemory fake;
  PinnedPool pool(fake.memory(), {.totalBytes = 100 * kMiB, .idleBytes = 50 * kMiB});
  void* larger = pool.take(kMiB + kMiB / 8);
  void* exact = pool.take(kMiB);
  pool.giveBack(larger);
  pool.giveBack(exact);
  void* taken = pool.take(kMiB);
  expect(taken == exact, "the buffer that fits best");
  pool.giveBack(taken);
}

void limitsIdleMemory(std::span<char*>) {
  FakeMemory fake;
  PinnedPool pool(fake.memory(), {.totalBytes = 100 * kMiB, .idleBytes = 2 * kMiB});
  std::vector<void*> buffers;
  for (int i = 0; i < 5; ++i) buffers.push_back(pool.take(kMiB));
  for (void* buffer : buffers) pool.giveBack(buffer);
  expect(fake.live == 2, "the two buffers that were freed last to be kept");
  void* taken = pool.take(kMiB);
  expect(taken == buffers[3] || taken == buffers[4], "the oldest buffers to be freed first");
  pool.giveBack(taken);
}

void keepsOneLargeBuffer(std::span<char*>) {
  FakeMemory fake;
  PinnedPool pool(fake.memory(), {.totalBytes = 100 * kMiB, .idleBytes = 2 * kMiB});
  void* large = pool.take(20 * kMiB);
  pool.giveBack(large);
  expect(pool.take(20 * kMiB) == large && fake.allocations == 1, "a buffer above the idle limit to be reused");
  pool.giveBack(large);
  pool.giveBack(pool.take(kMiB));
  expect(fake.live == 1, "it to be freed when another buffer is idle");
}

void limitsAllMemory(std::span<char*>) {
  FakeMemory fake;
  PinnedPool pool(fake.memory(), {.totalBytes = 4 * kMiB, .idleBytes = 4 * kMiB});
  void* first = pool.take(2 * kMiB);
  void* second = pool.take(2 * kMiB);
  expect(first != nullptr && second != nullptr && pool.take(1) == nullptr, "nothing above the limit");
  pool.giveBack(first);
  void* third = pool.take(kMiB);
  expect(third != nullptr && fake.live == 2, "an idle buffer to be freed for another size");
  pool.giveBack(second);
  pool.giveBack(third);
}

void survivesExhaustion(std::span<char*>) {
  FakeMemory fake;
  PinnedPool pool(fake.memory(), {.totalBytes = 4 * kMiB, .idleBytes = 4 * kMiB});
  fake.isExhausted = true;
  for (int i = 0; i < 10; ++i) expect(pool.take(kMiB) == nullptr, "null if no memory can be pinned");
  fake.isExhausted = false;
  void* buffer = pool.take(4 * kMiB);
  expect(buffer != nullptr, "the failed calls to reserve nothing");
  pool.giveBack(buffer);
}

/// Threads take buffers and others give them back, as schedulers and JavaScript's finalizers do.
void survivesContention(std::span<char*>) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  FakeMemory fake;
  {
    PinnedPool pool(fake.memory(), {.totalBytes = 8 * kMiB, .idleBytes = kMiB / 2});
    std::array<std::atomic<void*>, 16> shared{};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          const std::size_t bytes = std::size_t{4096} * static_cast<std::size_t>(1 + (round * 7 + thread) % 60);
          void* buffer = pool.take(bytes);
          if (buffer != nullptr) std::memset(buffer, thread, bytes);
          const auto slot = static_cast<std::size_t>(round * 5 + thread) % shared.size();
          if (void* other = shared[slot].exchange(buffer)) pool.giveBack(other);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& buffer : shared) {
      if (buffer != nullptr) pool.giveBack(buffer);
    }
  }
  expect(fake.live == 0, "every buffer to be freed with the pool");
}

constexpr std::array<test::Test, 8> kTests{{
    {"allocates at most an eighth more than a result needs", addsLittle},
    {"reuses a buffer for a result of similar size only", reuses},
    {"takes the idle buffer that fits best", takesTheBestFit},
    {"frees the oldest idle buffers above the limit", limitsIdleMemory},
    {"keeps the buffer that was freed last, whatever its size", keepsOneLargeBuffer},
    {"refuses buffers above the total limit, after it has freed idle ones", limitsAllMemory},
    {"survives a system without memory to pin", survivesExhaustion},
    {"hands each buffer to one owner under contention", survivesContention},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
