// The worker pool alone: no libtorch, so that it is also built under the sanitizers in seconds.
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

constexpr auto kPatience = 20s;  // far beyond what any of this takes; only a hang reaches it

/// Counts how often each task is done, in numbers that no lock guards: each is one thread's.
class Counts {
 public:
  explicit Counts(std::int64_t tasks) : counts_(static_cast<std::size_t>(tasks)) {}

  void add(std::int64_t task) { ++counts_[static_cast<std::size_t>(task)]; }

  void expectEach(int count, const std::string& where) const {
    for (const int found : counts_) expect(found == count, "every task to be done once " + where);
  }

 private:
  std::vector<int> counts_;
};

/// Which of a job's threads are at work.
class Threads {
 public:
  explicit Threads(std::int64_t count) : busy_(static_cast<std::size_t>(count)) {}

  void enter(std::int64_t thread) {
    const bool isOne = thread >= 0 && thread < static_cast<std::int64_t>(busy_.size());
    if (!isOne || busy_[static_cast<std::size_t>(thread)].exchange(true)) wrong_ = true;
  }
  void leave(std::int64_t thread) {
    if (!wrong_) busy_[static_cast<std::size_t>(thread)] = false;
  }

  void expectRight() const { expect(!wrong_, "a number of its own, below the job's, for each thread at work"); }

 private:
  std::vector<std::atomic<bool>> busy_;
  std::atomic<bool> wrong_ = false;
};

void runCounted(std::int64_t tasks, std::int64_t threads, const std::string& where) {
  Counts counts(tasks);
  Threads atWork(threads);
  WorkerPool::shared().run(tasks, threads, [&](std::int64_t task, std::int64_t thread) {
    atWork.enter(thread);
    counts.add(task);
    atWork.leave(thread);
  });
  atWork.expectRight();
  counts.expectEach(1, where);
}

void doesEveryTask(std::span<char*>) {
  for (const std::int64_t threads : {1, 2, 3, 7, 32}) {
    for (const std::int64_t tasks : {0, 1, 2, 3, 31, 1000}) {
      for (int repetition = 0; repetition < 20; ++repetition)
        runCounted(tasks, threads, "of " + std::to_string(tasks) + " on " + std::to_string(threads) + " threads");
    }
  }
}

/// As many tasks as threads, each of which waits until all have begun: as long as one thread is missing, none ends.
void expectAllAtOnce(std::int64_t threads) {
  std::atomic<std::int64_t> begun = 0;
  std::atomic<bool> isLate = false;
  WorkerPool::shared().run(threads, threads, [&](std::int64_t, std::int64_t) {
    ++begun;
    const auto start = std::chrono::steady_clock::now();
    while (begun < threads && !isLate) {
      if (std::chrono::steady_clock::now() - start > kPatience) isLate = true;
      std::this_thread::yield();
    }
  });
  expect(!isLate, std::to_string(threads) + " threads at work at the same time");
}

void helps(std::span<char*>) {
  for (int repetition = 0; repetition < 50; ++repetition) expectAllAtOnce(2);
}

void wakesHelpers(std::span<char*>) {
  for (int repetition = 0; repetition < 5; ++repetition) {
    expectAllAtOnce(3);
    std::this_thread::sleep_for(20ms);  // long enough for helpers to sleep
  }
}

void hasMoreThreadsThanCores(std::span<char*>) {
  const auto cores = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  expectAllAtOnce(2 * cores + 5);
  expectAllAtOnce(2);  // the others stay away
  runCounted(1000, 2, "with more helpers than are wanted");
}

/// Jobs have numbers of 16 bits.
void doesManyJobs(std::span<char*>) {
  constexpr int kJobs = (1 << 16) + 1000;
  Counts counts(2);
  for (int job = 0; job < kJobs; ++job)
    WorkerPool::shared().run(2, 2, [&](std::int64_t task, std::int64_t) { counts.add(task); });
  counts.expectEach(kJobs, "by each of many jobs");
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
  expect(failures == 0, "every task of every caller to be done once");
}

constexpr std::array<test::Test, 6> kTests{{
    {"does every task once, on threads that have numbers of their own", doesEveryTask},
    {"works on several threads at once", helps},
    {"wakes helpers that sleep", wakesHelpers},
    {"works on more threads than there are cores, and then on fewer", hasMoreThreadsThanCores},
    {"does more jobs than it has numbers for", doesManyJobs},
    {"does the tasks of many callers at once", servesManyCallers},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
