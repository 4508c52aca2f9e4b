// Tests the worker pool without libtorch, so that it also builds with the sanitizers in seconds.
#include "fused/threading/worker_pool.h"

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;
using namespace std::chrono_literals;

constexpr auto kTimeout = 20s;  // far longer than any test takes: only a hang reaches it

/// Counts how often each task runs. No lock guards the counts, so the thread sanitizer sees tasks that run twice at
/// once.
class Counts {
 public:
  explicit Counts(std::int64_t tasks) : counts_(static_cast<std::size_t>(tasks)) {}

  void add(std::int64_t task) { ++counts_[static_cast<std::size_t>(task)]; }

  void expectEach(int count, const std::string& where) const {
    for (const int found : counts_) expect(found == count, "every task to run once " + where);
  }

 private:
  std::vector<int> counts_;
};

/// Checks the thread numbers that tasks receive.
class Threads {
 public:
  explicit Threads(std::int64_t count) : busy_(static_cast<std::size_t>(count)) {}

  void enter(std::int64_t thread) {
    const bool isInRange = thread >= 0 && thread < static_cast<std::int64_t>(busy_.size());
    if (!isInRange || busy_[static_cast<std::size_t>(thread)].exchange(true)) invalid_ = true;
  }
  void leave(std::int64_t thread) {
    if (!invalid_) busy_[static_cast<std::size_t>(thread)] = false;
  }

  void expectValid() const {
    expect(!invalid_,
           "a thread number below the job's number of threads, and different from those of other running tasks");
  }

 private:
  std::vector<std::atomic<bool>> busy_;
  std::atomic<bool> invalid_ = false;
};

void runCounted(std::int64_t tasks, std::int64_t threads, const std::string& where) {
  Counts counts(tasks);
  Threads running(threads);
  WorkerPool::shared().run(tasks, threads, [&](std::int64_t task, std::int64_t thread) {
    running.enter(thread);
    counts.add(task);
    running.leave(thread);
  });
  running.expectValid();
  counts.expectEach(1, where);
}

void runsEveryTask(std::span<char*>) {
  for (const std::int64_t threads : {1, 2, 3, 7, 32}) {
    for (const std::int64_t tasks : {0, 1, 2, 3, 31, 1000}) {
      for (int repetition = 0; repetition < 20; ++repetition)
        runCounted(tasks, threads, "of " + std::to_string(tasks) + " on " + std::to_string(threads) + " threads");
    }
  }
}

/// Runs one task a thread. Each waits until all have started, so none ends while a thread is missing.
void expectAllAtOnce(std::int64_t threads) {
  std::atomic<std::int64_t> started = 0;
  std::atomic<bool> isLate = false;
  WorkerPool::shared().run(threads, threads, [&](std::int64_t, std::int64_t) {
    ++started;
    const auto start = std::chrono::steady_clock::now();
    while (started < threads && !isLate) {
      if (std::chrono::steady_clock::now() - start > kTimeout) isLate = true;
      std::this_thread::yield();
    }
  });
  expect(!isLate, std::to_string(threads) + " threads working at the same time");
}

void usesSeveralThreads(std::span<char*>) {
  for (int repetition = 0; repetition < 50; ++repetition) expectAllAtOnce(2);
}

void wakesWorkers(std::span<char*>) {
  for (int repetition = 0; repetition < 5; ++repetition) {
    expectAllAtOnce(3);
    std::this_thread::sleep_for(20ms);  // long enough for the workers to sleep
  }
}

void hasMoreThreadsThanCores(std::span<char*>) {
  const auto cores = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  expectAllAtOnce(2 * cores + 5);
  expectAllAtOnce(2);  // the other workers do not join
  runCounted(1000, 2, "with more workers than needed");
}

/// Job numbers have 16 bits: they wrap around.
void runsManyJobs(std::span<char*>) {
  constexpr int kJobs = (1 << 16) + 1000;
  Counts counts(2);
  for (int job = 0; job < kJobs; ++job)
    WorkerPool::shared().run(2, 2, [&](std::int64_t task, std::int64_t) { counts.add(task); });
  counts.expectEach(kJobs, "in each of many jobs");
  expectAllAtOnce(2);
}

void servesManyCallers(std::span<char*>) {
  constexpr int kCallers = 5;
  constexpr int kJobs = 300;
  std::atomic<int> failures = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      try {
        for (int job = 0; job < kJobs; ++job) runCounted(job % 40, 1 + caller, "of many callers");
      } catch (const std::exception&) {
        ++failures;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  expect(failures == 0, "every task of every caller to run once");
}

constexpr std::array<test::Test, 6> kTests{{
    {"runs every task once, with different thread numbers for tasks that run at the same time", runsEveryTask},
    {"works on several threads at once", usesSeveralThreads},
    {"wakes sleeping workers", wakesWorkers},
    {"works on more threads than cores, then on fewer", hasMoreThreadsThanCores},
    {"runs more jobs than it has job numbers", runsManyJobs},
    {"runs the tasks of many callers at once", servesManyCallers},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
