// A fiber is started by swapcontext, and then switched by _setjmp and _longjmp, which make no system call. The check of
// _FORTIFY_SOURCE takes such a jump to another stack for an error.
#undef _FORTIFY_SOURCE
#include "cuda_emulator/block.h"

#include <setjmp.h>
#include <ucontext.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda_emulator/device_language.h"

Index3 threadIdx;
Index3 blockIdx;
Index3 blockDim;
Index3 gridDim;

#ifdef __ELF__
// The linker defines these: the section that the emulated kernels' shared memory is in.
extern "C" {
extern char __start_emulated_shared[] __attribute__((weak));
extern char __stop_emulated_shared[] __attribute__((weak));
}
#endif

namespace torch_t5::emulator {
namespace {

constexpr unsigned kLanesOfWarp = 32;
constexpr std::size_t kStackBytes = 64 * 1024;

enum class State { kRunning, kAtBarrier, kExchanging, kEnded };

struct Fiber {
  std::unique_ptr<char[]> stack;
  ucontext_t start{};
  jmp_buf position{};
  bool isStarted = false;
  State state = State::kRunning;
  bool usesSecondSlot = false;  // of the next exchange: a lane may begin it before others have read the previous one
};

struct Warp {
  std::array<std::array<std::uint64_t, kLanesOfWarp>, 2> slots;
};

/// What runs on this thread of the CPU. Fibers live on for the next block.
struct Scheduler {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Warp> warps;
  jmp_buf position{};
  unsigned running = 0;
  void (*kernel)(void* const*) = nullptr;
  void* const* arguments = nullptr;
  std::minstd_rand orders;  // always the same, so that a failure can be repeated

  /// Whether the first warp runs first until the next barrier, or the last: the order finds barriers that are missing.
  bool isForward() { return orders() / 8 % 2 == 0; }
};

thread_local Scheduler scheduler;

// These functions are called, not inlined: a fiber's frame may not keep the address of a variable of this thread.
[[gnu::noinline]] void yieldAs(State state) {
  Fiber& fiber = *scheduler.fibers[scheduler.running];
  fiber.state = state;
  if (_setjmp(fiber.position) == 0) _longjmp(scheduler.position, 1);
}

[[gnu::noinline]] void runThread() { scheduler.kernel(scheduler.arguments); }

void fiberMain() {
  for (;;) {
    runThread();
    yieldAs(State::kEnded);
  }
}

[[gnu::noinline]] void resume(unsigned index) {
  Fiber& fiber = *scheduler.fibers[index];
  scheduler.running = index;
  threadIdx.x = index;
  fiber.state = State::kRunning;
  if (_setjmp(scheduler.position) != 0) return;
  if (fiber.isStarted) _longjmp(fiber.position, 1);
  fiber.isStarted = true;
  setcontext(&fiber.start);
}

void prepareFibers(unsigned count) {
  while (scheduler.fibers.size() < count) {
    auto fiber = std::make_unique<Fiber>();
    fiber->stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
    scheduler.fibers.push_back(std::move(fiber));
  }
  for (unsigned i = 0; i < count; ++i) {
    Fiber& fiber = *scheduler.fibers[i];
    fiber.state = State::kRunning;
    fiber.usesSecondSlot = false;
    if (fiber.isStarted) continue;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = kStackBytes;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, fiberMain, 0);
  }
  scheduler.warps.resize(count / kLanesOfWarp);
}

unsigned countOf(unsigned first, unsigned count, State state) {
  unsigned found = 0;
  for (unsigned i = first; i < first + count; ++i) found += scheduler.fibers[i]->state == state ? 1 : 0;
  return found;
}

[[noreturn]] void reportDeadlock(unsigned threads) {
  std::string message =
      "the threads of a block wait forever: " + std::to_string(countOf(0, threads, State::kAtBarrier)) +
      " at a barrier, " + std::to_string(countOf(0, threads, State::kExchanging)) + " to exchange values, " +
      std::to_string(countOf(0, threads, State::kEnded)) + " have ended";
  for (auto& fiber : scheduler.fibers) fiber->isStarted = false;  // begins anew
  throw std::runtime_error(message);
}

/// Runs a warp until its threads are at a barrier or have ended.
void runWarp(unsigned first, unsigned threads) {
  for (;;) {
    for (unsigned i = first; i < first + kLanesOfWarp; ++i) {
      if (scheduler.fibers[i]->state == State::kRunning) resume(i);
    }
    const unsigned exchanging = countOf(first, kLanesOfWarp, State::kExchanging);
    if (exchanging == 0) return;
    if (exchanging != kLanesOfWarp) reportDeadlock(threads);
    for (unsigned i = first; i < first + kLanesOfWarp; ++i) scheduler.fibers[i]->state = State::kRunning;
  }
}

/// A kernel may not rely on what is in shared memory when a block starts: all bits are set, which is NaN.
void poisonSharedMemory() {
#ifdef __ELF__
  if (__start_emulated_shared != nullptr)
    std::memset(__start_emulated_shared, 0xff,
                static_cast<std::size_t>(__stop_emulated_shared - __start_emulated_shared));
#endif
}

void runBlock(unsigned threads) {
  prepareFibers(threads);
  poisonSharedMemory();
  for (;;) {
    const bool isForward = scheduler.isForward();
    for (unsigned done = 0; done < threads; done += kLanesOfWarp)
      runWarp(isForward ? done : threads - kLanesOfWarp - done, threads);
    const unsigned atBarrier = countOf(0, threads, State::kAtBarrier);
    if (atBarrier == 0) return;
    if (atBarrier != threads) reportDeadlock(threads);
    for (unsigned i = 0; i < threads; ++i) scheduler.fibers[i]->state = State::kRunning;
  }
}

}  // namespace

void run(const Grid& grid, void (*kernel)(void* const*), void* const* arguments) {
  if (grid.threads == 0 || grid.threads % kLanesOfWarp != 0 || grid.threads > 1024)
    throw std::runtime_error("expected whole warps of at most 1024 threads");
  static std::mutex mutex;  // indices and shared memory are global
  const std::lock_guard lock(mutex);
  scheduler.kernel = kernel;
  scheduler.arguments = arguments;
  gridDim = {grid.blocksX, grid.blocksY, 1};
  blockDim = {grid.threads, 1, 1};
  for (unsigned y = 0; y < grid.blocksY; ++y) {
    for (unsigned x = 0; x < grid.blocksX; ++x) {
      blockIdx = {x, y, 0};
      runBlock(grid.threads);
    }
  }
}

void waitAtBarrier() { yieldAs(State::kAtBarrier); }

std::uint64_t exchange(std::uint64_t value, unsigned lane) {
  const unsigned thread = scheduler.running;
  Fiber& fiber = *scheduler.fibers[thread];
  auto& slots = scheduler.warps[thread / kLanesOfWarp].slots[fiber.usesSecondSlot ? 1 : 0];
  fiber.usesSecondSlot = !fiber.usesSecondSlot;
  slots[thread % kLanesOfWarp] = value;
  yieldAs(State::kExchanging);
  return slots[lane];
}

}  // namespace torch_t5::emulator
