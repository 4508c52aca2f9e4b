// Tests the scheduler without libtorch, so that it also builds with the sanitizers in seconds.
#include "runtime/scheduler.h"

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <random>
#include <string>
#include <vector>

#include "core/interlude.h"
#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;
using namespace std::chrono_literals;

constexpr auto kTimeout = 20s;  // far longer than any test takes

void ignoreFailure(const Error&) {}

/// A request that makes `calls` calls, then `prefills` prefills, and then `steps` steps. It ends early when one fails.
class ScriptedWork final : public Work {
 public:
  ScriptedWork(std::string name, int steps, std::function<void(bool failed)> ended, std::int64_t positions = 1,
               int calls = 1, int prefills = 0)
      : name(std::move(name)),
        calls_(calls),
        prefills_(prefills),
        steps_(steps),
        positions_(positions),
        ended_(std::move(ended)) {}

  void start() override { next(); }
  Wait wait() const override { return wait_; }
  std::int64_t positions() const override { return wait_ == Wait::kStep ? 1 : positions_; }
  void resume() override { next(); }
  void fail(const Error&) override { end(true); }
  void settle() override {
    if (!hasEnded_) return;
    hasEnded_ = false;
    ended_(hasFailed_);
  }

  const std::string name;

 private:
  void next() {
    if (calls_ > 0) {
      --calls_;
      wait_ = Wait::kCall;
    } else if (prefills_ > 0) {
      --prefills_;
      wait_ = Wait::kPrefill;
    } else if (steps_ > 0) {
      --steps_;
      wait_ = Wait::kStep;
    } else {
      end(false);
    }
  }
  void end(bool failed) {
    wait_ = Wait::kNothing;
    hasEnded_ = true;
    hasFailed_ = failed;
  }

  Wait wait_ = Wait::kNothing;
  bool hasEnded_ = false;  // and has not been settled
  bool hasFailed_ = false;
  int calls_;
  int prefills_;
  int steps_;
  std::int64_t positions_;
  std::function<void(bool)> ended_;
};

constexpr const char* kBlocker = "blocker";

using Names = std::vector<std::string>;

void awaitCount(const std::atomic<int>& value, int count, const std::string& what) {
  const auto start = std::chrono::steady_clock::now();
  while (value < count) {
    expect(std::chrono::steady_clock::now() - start < kTimeout, std::to_string(count) + ' ' + what);
    std::this_thread::sleep_for(1ms);
  }
}

/// Records each pass. A pass of the blocker waits while the gate is closed.
class RecordedPasses final : public Passes {
 public:
  explicit RecordedPasses(bool merges) : merges_(merges) {}

  void runThread(const std::function<void()>& loop) override { loop(); }
  bool mergesCalls() const override {
    ++mergeQueries;
    return merges_;
  }
  void run(std::span<Work* const> works) override {
    Names names;
    for (const Work* work : works) names.push_back(static_cast<const ScriptedWork*>(work)->name);
    passes.push_back(names);
    if (during) during(names);
    ++begun;
    while (isClosed && names.front() == kBlocker && !CancellationScope::requested()) {
      std::this_thread::sleep_for(1ms);
      if (offersInterludes) InterludeScope::offer();
    }
    if (CancellationScope::requested()) ++aborted;
  }

  /// Each task on a thread of its own, the last one first.
  void runEach(std::int64_t count, const std::function<void(std::int64_t)>& task) override {
    std::vector<std::thread> threads;
    for (std::int64_t index = count - 1; index >= 0; --index) {
      threads.emplace_back([&task, index] { task(index); });
      if (index == count - 1) threads.back().join();
    }
    for (std::size_t later = 1; later < threads.size(); ++later) threads[later].join();
    togetherCount += static_cast<int>(count);
  }

  void awaitBegun(int count) const { awaitCount(begun, count, "passes"); }

  std::vector<Names> passes;
  std::function<void(const Names&)> during;  // called in each pass; set before the pass begins
  mutable std::atomic<int> mergeQueries = 0;
  std::atomic<int> begun = 0;
  std::atomic<int> aborted = 0;
  std::atomic<int> togetherCount = 0;  // tasks of `runEach`
  std::atomic<bool> isClosed = false;
  std::atomic<bool> offersInterludes = false;

 private:
  const bool merges_;
};

struct Harness {
  explicit Harness(bool merges, SchedulerLimits limits = {}) : passes(merges), scheduler(limits, passes) {}

  void post(const std::string& name, int steps, std::uint64_t id = 0, std::int64_t priority = 0,
            std::int64_t positions = 1, int calls = 1, int prefills = 0,
            Job::Clock::time_point since = Job::Clock::now()) {
    auto ended = [this, name](bool failed) {
      (failed ? failures : successes).push_back(name);
      ++endedCount;
    };
    scheduler.post({.id = id,
                    .rows = steps > 0 ? 1 : 0,
                    .priority = priority,
                    .since = since,
                    .work = std::make_unique<ScriptedWork>(name, steps, ended, positions, calls, prefills),
                    .fail = [this](const Error& error) {
                      if (error.code() == ErrorCode::kAborted) ++droppedCount;
                    }});
  }

  /// Posts a request whose first call runs until `open`.
  void block() {
    passes.isClosed = true;
    post(kBlocker, 0, 1);
    passes.awaitBegun(1);
  }
  void open() { passes.isClosed = false; }

  void closeAndWait() {
    std::promise<void> ended;
    expect(scheduler.close([&] { ended.set_value(); }), "the first close to be accepted");
    expect(ended.get_future().wait_for(kTimeout) == std::future_status::ready, "an end");
  }

  void awaitEnded(int count) const { awaitCount(endedCount, count, "ended requests"); }

  Names successes;  // written by the scheduler's thread
  Names failures;
  std::atomic<int> endedCount = 0;
  std::atomic<int> droppedCount = 0;
  RecordedPasses passes;
  Scheduler scheduler;
};

void mergesSteps(std::span<char*>) {
  Harness harness(true);
  harness.block();
  for (const char* name : {"a", "b", "c"}) harness.post(name, 2);
  harness.open();
  harness.closeAndWait();
  const std::vector<Names> expected{{"blocker"}, {"a", "b", "c"}, {"a", "b", "c"}, {"a", "b", "c"}};
  expect(harness.passes.passes == expected, "each pass to serve all three");
  expect(harness.passes.togetherCount == 6, "the three to be continued together after each step");
  expect(harness.successes == Names{"blocker", "a", "b", "c"}, "results in the order of the requests");
}

void joinsAndLeaves(std::span<char*>) {
  Harness harness(true);
  harness.block();
  harness.post("long", 4);
  harness.post("short", 1);
  harness.open();
  harness.closeAndWait();
  expect(harness.successes == Names{"blocker", "short", "long"}, "the short request to end first");
  expect(harness.passes.passes.back() == Names{"long"}, "the last step to be of the long request alone");
}

void keepsThePlaceOfAnEarlierRequest(std::span<char*>) {
  Harness harness(false);
  harness.block();
  const auto since = Job::Clock::now();
  harness.post("urgent", 0, 2, /*priority=*/1);
  for (const char* name : {"a", "b"}) harness.post(name, 0);
  harness.post("continued", 0, 0, 0, 1, 1, 0, since);
  harness.post("c", 0);
  harness.open();
  harness.closeAndWait();
  expect(harness.successes == Names{"blocker", "urgent", "continued", "a", "b", "c"},
         "a request that continues an earlier one to run before later ones of its priority");
}

void runsOneByOneWithoutMerging(std::span<char*>) {
  Harness harness(false);
  harness.block();
  harness.post("long", 3);
  harness.post("short", 0);
  harness.post("later", 1);
  harness.open();
  harness.closeAndWait();
  for (const Names& pass : harness.passes.passes) expect(pass.size() == 1, "passes of one request");
  expect(harness.successes == Names{"blocker", "short", "long", "later"},
         "the short request to run between the calls of the long one, and rows in order");
}

void limitsRows(std::span<char*>) {
  Harness harness(true, {.maxBatchSize = 2});
  harness.block();
  for (const char* name : {"a", "b", "c"}) harness.post(name, 2);
  harness.post("without rows", 0);
  harness.open();
  harness.closeAndWait();
  for (const Names& pass : harness.passes.passes) {
    const bool hasC = std::find(pass.begin(), pass.end(), "c") != pass.end();
    expect(!hasC || pass.size() == 1, "the third request to wait for room");
  }
  expect(harness.successes.back() == "c", "the third request to end last");
}

void limitsPositions(std::span<char*>) {
  Harness harness(true, {.maxBatchTokens = 10});
  harness.block();
  for (const char* name : {"a", "b", "c"}) harness.post(name, 0, 0, 0, 5);
  harness.post("large", 0, 0, 0, 50);
  harness.open();
  harness.closeAndWait();
  const std::vector<Names> expected{{"blocker"}, {"a", "b"}, {"c"}, {"large"}};
  expect(harness.passes.passes == expected, "passes within the limit, and a larger call alone");
}

void prefersPriority(std::span<char*>) {
  Harness harness(false);
  harness.block();
  harness.post("low", 0, 0, -1);
  harness.post("first", 0);
  harness.post("high", 0, 0, 1);
  harness.post("second", 0);
  harness.open();
  harness.closeAndWait();
  expect(harness.successes == Names{"blocker", "high", "first", "second", "low"}, "the order of priorities");
}

/// Neither a flood of short requests nor a long one keeps the other waiting.
void starvesNobody(std::span<char*>) {
  for (const bool merges : {false, true}) {
    Harness harness(merges, {.maxBatchTokens = 1});
    harness.block();
    harness.post("long", 20);
    for (int i = 0; i < 200; ++i) harness.post("short", 0);
    harness.open();
    harness.closeAndWait();
    const auto position = std::find(harness.successes.begin(), harness.successes.end(), "long");
    const auto before = position - harness.successes.begin();
    expect(before > 10 && before < 60,
           "the long request to end among the short ones, not after " + std::to_string(before));
  }
}

/// The number of passes from each one in which a call of `name` arrived to the one that runs it.
std::vector<std::size_t> waits(const std::vector<Names>& passes, const std::vector<std::size_t>& arrivals,
                               const std::string& name) {
  std::vector<std::size_t> result;
  for (const std::size_t arrival : arrivals) {
    std::size_t pass = arrival + 1;
    while (std::find(passes[pass].begin(), passes[pass].end(), name) == passes[pass].end()) ++pass;
    result.push_back(pass - arrival);
  }
  return result;
}

/// A caller who makes one short call after another waits for the step that runs, and for no other.
void runsShortCallsAfterTheRunningStep(std::span<char*>) {
  constexpr int kSteps = 30;
  for (const bool merges : {false, true}) {
    Harness harness(merges);
    harness.block();
    std::vector<std::size_t> arrivals;
    harness.passes.during = [&](const Names& names) {
      const auto ended = std::count(harness.successes.begin(), harness.successes.end(), "short");
      const bool isPending = static_cast<std::size_t>(ended) < arrivals.size();
      if (names != Names{"long"} || isPending || arrivals.size() == kSteps / 2) return;
      // They arrive in even and in odd passes, and not in the first pass of the long request, which is not a step.
      const std::size_t count = harness.passes.passes.size();
      if (count == 2 || count % 3 == 0) return;
      arrivals.push_back(harness.passes.passes.size() - 1);
      harness.post("short", 0);
    };
    harness.post("long", 2 * kSteps);
    harness.open();
    harness.awaitEnded(2 + kSteps / 2);
    harness.closeAndWait();
    expect(arrivals.size() == kSteps / 2, "all short calls to be made");
    for (const std::size_t wait : waits(harness.passes.passes, arrivals, "short"))
      expect(wait == 1, "the short call in the next pass, not " + std::to_string(wait) + " passes later");
  }
}

/// A generation that arrives during a step runs its encoder next, and its first decoder pass with the next step.
void joinsTheNextStep(std::span<char*>) {
  Harness harness(true);
  harness.block();
  harness.passes.during = [&](const Names& names) {
    if (harness.passes.passes.size() == 4 && names == Names{"long"}) harness.post("new", 2, 0, 0, 17, 1, 1);
  };
  harness.post("long", 6, 0, 0, 1, 1, 1);
  harness.open();
  harness.awaitEnded(3);
  harness.closeAndWait();
  const std::vector<Names> expected{{"blocker"},     {"long"},        {"long"},        {"long"}, {"new"},
                                    {"long", "new"}, {"long", "new"}, {"long", "new"}, {"long"}, {"long"}};
  expect(harness.passes.passes == expected, "the encoder, and then a step that the new request joins");
  expect(harness.successes == Names{"blocker", "new", "long"}, "both to end");
}

/// Of many generations that arrive at once, as many join the step as take no longer than it. None waits for all others.
void limitsPrefillsInAStep(std::span<char*>) {
  constexpr int kNew = 40;
  Harness harness(true, {.maxBatchSize = 64, .maxBatchTokens = 2048});
  harness.block();
  harness.post("long", 20, 0, 0, 1, 1, 1);
  harness.passes.during = [&](const Names& names) {
    if (harness.passes.passes.size() != 4 || names != Names{"long"}) return;
    for (int i = 0; i < kNew; ++i) harness.post("new", 1, 0, 0, 17, 1, 1);
    harness.post("large", 1, 0, 0, 700, 1, 1);
  };
  harness.open();
  harness.awaitEnded(kNew + 3);
  harness.closeAndWait();
  const auto& passes = harness.passes.passes;
  const auto countOf = [](const Names& names, const char* name) {
    return std::count(names.begin(), names.end(), name);
  };
  expect(countOf(passes[4], "new") == kNew && countOf(passes[4], "large") == 1, "one pass of all encoders");
  expect(passes[5].front() == "long" && countOf(passes[5], "new") == 512 / 17, "a step with some prefills");
  expect(passes[6] == Names{"large"}, "a pass of the prefill that is too long for any step");
  expect(passes[7].front() == "long" && countOf(passes[7], "new") == kNew, "a step with the other prefills");
  expect(passes.back() == Names{"long"}, "the running request to end last");
}

/// Generations that arrive during the first pass of another start together with it.
void startsTogether(std::span<char*>) {
  Harness harness(true);
  harness.block();
  harness.passes.during = [&](const Names& names) {
    if (names != Names{"a"} || harness.passes.passes.size() != 2) return;
    for (const char* name : {"b", "c"}) harness.post(name, 1, 0, 0, 17, 1, 1);
  };
  harness.post("a", 1, 0, 0, 17, 1, 1);
  harness.open();
  harness.awaitEnded(4);
  harness.closeAndWait();
  const std::vector<Names> expected{{"blocker"}, {"a"}, {"b", "c"}, {"a", "b", "c"}, {"a", "b", "c"}};
  expect(harness.passes.passes == expected, "one prefill and one step of all three");
}

/// A request of many prefills does not keep those waiting that do not fit beside them.
void starvesNoPrefill(std::span<char*>) {
  Harness harness(true);
  harness.block();
  harness.post("running", 40, 0, 0, 1, 1, 1);
  harness.post("many", 0, 0, 0, 300, 0, 30);
  harness.post("one", 0, 0, 0, 400, 0, 1);
  harness.open();
  harness.awaitEnded(4);
  harness.closeAndWait();
  expect(harness.successes == Names{"blocker", "one", "many", "running"}, "the request of one prefill to end first");
}

/// What several requests do after their prefills runs on several threads.
void continuesPrefillsTogether(std::span<char*>) {
  Harness harness(true);
  harness.block();
  for (const char* name : {"a", "b", "c"}) harness.post(name, 0, 0, 0, 200, 0, 1);
  harness.open();
  harness.closeAndWait();
  const std::vector<Names> expected{{"blocker"}, {"a", "b", "c"}};
  expect(harness.passes.passes == expected, "one pass of the prefills");
  expect(harness.passes.togetherCount == 2, "as many to be continued together as fit between two interludes");
  expect(harness.successes == Names{"blocker", "a", "b", "c"}, "results in the order of the requests");
}

/// Without merging, a prefill is a call as any other.
void runsPrefillsWithoutMerging(std::span<char*>) {
  Harness harness(false);
  harness.block();
  for (const char* name : {"a", "b"}) harness.post(name, 0, 0, 0, 1, 1, 1);
  harness.open();
  harness.closeAndWait();
  for (const Names& pass : harness.passes.passes) expect(pass.size() == 1, "passes of one request");
  expect(harness.successes == Names{"blocker", "a", "b"}, "both to end");
}

void runsInterludes(std::span<char*>) {
  Harness harness(true);
  harness.passes.offersInterludes = true;
  harness.block();
  harness.post("a", 3);
  harness.passes.awaitBegun(5);
  expect(harness.scheduler.stats().running >= 1, "the blocker to be running still");
  harness.open();
  harness.closeAndWait();
  expect(harness.successes == Names{"a", "blocker"}, "the request to end within the pass of the blocker");
}

/// Calls too long for an interlude keep no others waiting, whose later calls run there as their first ones do.
void runsLaterCallsInInterludes(std::span<char*>) {
  Harness harness(true, {.maxBatchTokens = 2048});
  harness.passes.offersInterludes = true;
  harness.block();
  for (const char* name : {"large", "larger"}) harness.post(name, 0, 0, 0, 2000);
  harness.post("a", 3, 0, 0, 1, 3);
  harness.passes.awaitBegun(7);
  harness.open();
  harness.closeAndWait();
  expect(harness.successes == Names{"a", "blocker", "large", "larger"}, "the short request to end first");
}

void refusesPastTheLimit(std::span<char*>) {
  Harness harness(false, {.maxQueueLength = 2});
  harness.block();
  harness.post("a", 0);
  harness.post("b", 0);
  bool refused = false;
  try {
    harness.post("c", 0);
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kQueueFull;
  }
  expect(refused, "ERR_QUEUE_FULL for the third waiting job");
  harness.open();
  harness.closeAndWait();
  expect(harness.successes == Names{"blocker", "a", "b"}, "the accepted jobs to run");
}

void cancelsWaiting(std::span<char*>) {
  Harness harness(false);
  harness.block();
  harness.post("cancelled", 0, 2);
  harness.scheduler.cancel(2);
  harness.scheduler.cancel(2);
  harness.scheduler.cancel(77);
  expect(harness.droppedCount == 1, "one ERR_ABORTED, at once");
  harness.open();
  harness.closeAndWait();
  expect(harness.successes == Names{"blocker"} && harness.passes.aborted == 0,
         "the cancelled job not to run, and the running one not to be cancelled");
}

void cancelsRunning(std::span<char*>) {
  for (const bool merges : {false, true}) {
    Harness harness(merges);
    harness.block();
    harness.scheduler.cancel(1);
    harness.closeAndWait();
    expect(harness.passes.aborted == 1, "the pass of the only request to be aborted");
  }
}

/// A request that is cancelled during a pass with others leaves before the next one; the others go on.
void cancelsOneOfSeveral(std::span<char*>) {
  Harness harness(true);
  harness.block();
  harness.post("a", 1000000, 2);
  harness.post("b", 3, 3);
  harness.open();
  harness.passes.awaitBegun(6);
  harness.scheduler.cancel(2);
  harness.closeAndWait();
  expect(harness.failures == Names{"a"}, "the cancelled request to fail");
  expect(harness.successes == Names{"blocker", "b"}, "the other one to end");
}

/// A cancellation that arrives while the job moves from the waiting ones to the running ones is not lost.
void cancelsWhileAdmitting(std::span<char*>) {
  constexpr int kJobs = 60000;
  constexpr int kEndless = 1 << 30;  // steps
  std::atomic<int> ended = 0;
  RecordedPasses passes(true);
  Scheduler scheduler({.maxBatchSize = 8, .maxBatchTokens = 8}, passes);
  for (std::uint64_t id = 1; id <= kJobs; ++id) {
    scheduler.post({.id = id,
                    .rows = 1,
                    .work = std::make_unique<ScriptedWork>("job", kEndless, [&](bool) { ++ended; }),
                    .fail = [&](const Error&) { ++ended; }});
    // The scheduler's thread takes some microseconds to admit it.
    const auto posted = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - posted < id % 200 * 100ns) continue;
    scheduler.cancel(id);
  }
  const auto start = std::chrono::steady_clock::now();
  while (ended < kJobs && std::chrono::steady_clock::now() - start < kTimeout) std::this_thread::sleep_for(1ms);
  expect(ended == kJobs, "every cancelled job to end, not " + std::to_string(ended));
}

/// A request whose consumer does not ask for anything.
class PausedWork final : public Work {
 public:
  explicit PausedWork(std::function<void(ErrorCode)> failed) : failed_(std::move(failed)) {}

  void start() override { wait_ = Wait::kConsumer; }
  Wait wait() const override { return wait_; }
  std::int64_t positions() const override { return 1; }
  void resume() override {}
  void fail(const Error& error) override {
    wait_ = Wait::kNothing;
    failed_(error.code());
  }
  void settle() override {}

 private:
  Wait wait_ = Wait::kNothing;
  std::function<void(ErrorCode)> failed_;
};

/// Requests that wait for the caches of others, whose consumers are away.
void closesWithoutRoom(std::span<char*>) {
  Harness harness(true, {.maxBatchTokens = 8, .maxCacheBytes = 10});
  std::atomic<int> disposedCount = 0;
  for (int i = 0; i < 3; ++i) {
    harness.scheduler.post({.cacheBytes = 10,
                            .work = std::make_unique<PausedWork>([&](ErrorCode code) {
                              if (code == ErrorCode::kDisposed) ++disposedCount;
                            }),
                            .fail = ignoreFailure});
  }
  harness.post("a", 0);
  harness.passes.awaitBegun(1);
  std::this_thread::sleep_for(20ms);  // its turn ends
  const int before = harness.passes.mergeQueries;
  std::this_thread::sleep_for(100ms);
  // A thread that looks for work all the time asks thousands of times; one that sleeps wakes up for no reason at most.
  expect(harness.passes.mergeQueries - before < 50, "the thread to sleep while nothing can run");
  expect(harness.scheduler.stats().waiting == 2, "two jobs to wait for room");
  harness.closeAndWait();
  expect(disposedCount == 3, "ERR_DISPOSED for each paused request");
}

void refusesWhenClosed(std::span<char*>) {
  Harness harness(true);
  harness.closeAndWait();
  expect(!harness.scheduler.close([] {}), "the second close to be refused");
  bool refused = false;
  try {
    harness.post("late", 0);
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kDisposed;
  }
  expect(refused, "ERR_DISPOSED after close");
}

void stops(std::span<char*>) {
  Harness harness(false);
  harness.block();
  for (int i = 0; i < 10; ++i) harness.post("waiting", 0);
  harness.scheduler.stop();
  expect(harness.droppedCount == 10 && harness.passes.aborted == 1,
         "every waiting job to fail, and the running one to be cancelled");
}

/// Several threads post and cancel at once. For the thread sanitizer.
void survivesContention(std::span<char*>) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 1000;
  for (const bool merges : {false, true}) {
    std::atomic<int> ended = 0;
    RecordedPasses passes(merges);
    {
      Scheduler scheduler({.maxBatchSize = 7, .maxBatchTokens = 5}, passes);
      std::vector<std::thread> clients;
      for (int client = 0; client < kThreads; ++client) {
        clients.emplace_back([&, client] {
          std::mt19937 random(static_cast<unsigned>(client));
          for (int i = 0; i < kJobs; ++i) {
            const auto id = static_cast<std::uint64_t>(client * kJobs + i + 1);
            const int steps = static_cast<int>(random() % 4);
            scheduler.post({.id = id,
                            .rows = steps > 0 ? 1 : 0,
                            .priority = static_cast<std::int64_t>(random() % 3),
                            .work = std::make_unique<ScriptedWork>("job", steps, [&](bool) { ++ended; }),
                            .fail = [&](const Error&) { ++ended; }});
            if (random() % 2 == 0) scheduler.cancel(id);
            if (random() % 64 == 0) scheduler.stats();
          }
        });
      }
      for (std::thread& client : clients) client.join();
    }
    expect(ended == kThreads * kJobs, "each job to end exactly once");
  }
}

constexpr std::array kTests{
    test::Test{"decodes the rows of several requests in one step", mergesSteps},
    test::Test{"lets requests join and leave between steps", joinsAndLeaves},
    test::Test{"keeps the place of an earlier request", keepsThePlaceOfAnEarlierRequest},
    test::Test{"runs calls one by one if the engine does not merge them", runsOneByOneWithoutMerging},
    test::Test{"limits the rows of a step", limitsRows},
    test::Test{"limits the positions of a pass", limitsPositions},
    test::Test{"starts requests with a higher priority first", prefersPriority},
    test::Test{"keeps neither long nor short requests waiting", starvesNobody},
    test::Test{"runs a short call right after the step in which it arrived", runsShortCallsAfterTheRunningStep},
    test::Test{"runs the first decoder pass of a new request in the next step", joinsTheNextStep},
    test::Test{"limits the prefills in a step", limitsPrefillsInAStep},
    test::Test{"starts requests together that arrive while none steps", startsTogether},
    test::Test{"keeps no prefill waiting for those of one request", starvesNoPrefill},
    test::Test{"continues requests together after their prefills", continuesPrefillsTogether},
    test::Test{"runs prefills one by one if the engine does not merge them", runsPrefillsWithoutMerging},
    test::Test{"runs steps in the interludes of a long pass", runsInterludes},
    test::Test{"runs all calls of a short request in the interludes of a long pass", runsLaterCallsInInterludes},
    test::Test{"refuses jobs past the limit, and runs the accepted ones", refusesPastTheLimit},
    test::Test{"fails a cancelled waiting job once", cancelsWaiting},
    test::Test{"requests cancellation of a running job", cancelsRunning},
    test::Test{"removes a cancelled request from the steps of the others", cancelsOneOfSeveral},
    test::Test{"cancels a job that is being admitted", cancelsWhileAdmitting},
    test::Test{"closes while jobs wait for the caches of paused ones", closesWithoutRoom},
    test::Test{"refuses jobs, and a second close, after it was closed", refusesWhenClosed},
    test::Test{"fails waiting jobs and cancels the running one when it is stopped", stops},
    test::Test{"ends each job exactly once under contention", survivesContention},
};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
