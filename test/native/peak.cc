// The limit of the matrix products of this processor: the speed of its dot products in a loop, with operands in the L1
// cache, on all threads at once. Prints a line of JSON for each data type. Run by bench/profile/shares.mjs: `peak
// [threads]`.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <thread>
#include <utility>
#include <vector>

#include "fused/instruction_set.h"

namespace torch_t5 {
namespace {

using kernels::DataType;
using kernels::Kernels;

constexpr std::int64_t kIterations = 100'000;  // under a millisecond, so that most runs are not interrupted
constexpr int kRuns = 200;

/// Floating-point or integer operations per second of one thread, at best: two for each product with its sum.
double measure(const Kernels& kernels, DataType dataType) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const Clock::time_point start = Clock::now();
    kernels.repeatDotProducts(dataType, kIterations);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const auto operations = static_cast<double>(2 * kIterations * kernels.maxRows * kernels.panelWidth *
                                                kernels::elementsPerWord(dataType));
    best = std::max(best, operations / seconds);
  }
  return best;
}

/// The same of all threads, which run at the same time.
double measureTogether(const Kernels& kernels, DataType dataType, int count) {
  std::vector<double> speeds(static_cast<std::size_t>(count));
  std::latch start(count);
  std::vector<std::thread> threads;
  for (double& speed : speeds) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      speed = measure(kernels, dataType);
    });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const double speed : speeds) sum += speed;
  return sum;
}

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) {
  using torch_t5::kernels::DataType;
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1 || threads > 1024) {
    std::fprintf(stderr, "Expected a number of threads from 1 to 1024 but received %s\n", argv[1]);
    return 1;
  }
  const torch_t5::kernels::Kernels& kernels = torch_t5::bestKernels();
  for (const auto& [name, dataType] :
       {std::pair{"float32", DataType::kFloat32}, std::pair{"bfloat16", DataType::kBfloat16},
        std::pair{"int8", DataType::kInt8}}) {
    std::printf("{\"kernels\": \"%s\", \"precision\": \"%s\", \"threads\": %d, \"gigaflops\": %.1f}\n", kernels.name,
                name, threads, torch_t5::measureTogether(kernels, dataType, threads) / 1e9);
  }
  return 0;
}
