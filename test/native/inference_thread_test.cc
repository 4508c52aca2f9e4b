// Tests the inference thread without libtorch, so that it also builds with the sanitizers in seconds.
#include "runtime/inference_thread.h"

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <vector>

#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;
using namespace std::chrono_literals;

constexpr auto kTimeout = 20s;  // far longer than any test takes

void ignoreFailure(const Error&) {}

/// A job that runs until it is released or cancelled.
class Blocker {
 public:
  Job job(std::uint64_t id) {
    return {
        .id = id,
        .run =
            [this] {
              started_.set_value();
              while (!released_ && !CancellationScope::requested()) std::this_thread::sleep_for(1ms);
              sawCancellation = CancellationScope::requested();
            },
        .fail = ignoreFailure,
    };
  }
  void awaitStart() { expect(started_.get_future().wait_for(kTimeout) == std::future_status::ready, "a start"); }
  void release() { released_ = true; }

  std::atomic<bool> sawCancellation = false;

 private:
  std::promise<void> started_;
  std::atomic<bool> released_ = false;
};

void closeAndWait(InferenceThread& thread) {
  std::promise<void> ended;
  expect(thread.close([&] { ended.set_value(); }), "the first close to be accepted");
  expect(ended.get_future().wait_for(kTimeout) == std::future_status::ready, "an end");
}

void runsInOrder(std::span<char*>) {
  InferenceThread thread(0);
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    thread.post({.id = 0, .run = [&order, i] { order.push_back(i); }, .fail = ignoreFailure});
  }
  closeAndWait(thread);
  expect(order.size() == 1000, "every job to run before the thread ends");
  for (int i = 0; i < 1000; ++i) expect(order[static_cast<std::size_t>(i)] == i, "jobs in the order of posting");
}

void refusesPastTheLimit(std::span<char*>) {
  InferenceThread thread(2);
  Blocker blocker;
  thread.post(blocker.job(1));
  blocker.awaitStart();
  std::atomic<int> ran = 0;
  const auto post = [&] { thread.post({.id = 0, .run = [&] { ++ran; }, .fail = ignoreFailure}); };
  post();
  post();
  bool refused = false;
  try {
    post();
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kQueueFull;
  }
  expect(refused, "ERR_QUEUE_FULL for the third waiting job");
  blocker.release();
  closeAndWait(thread);
  expect(ran == 2, "the two accepted jobs to run");
}

void cancelsWaiting(std::span<char*>) {
  InferenceThread thread(0);
  Blocker blocker;
  thread.post(blocker.job(1));
  blocker.awaitStart();
  std::atomic<bool> ran = false;
  std::atomic<int> failures = 0;
  thread.post({.id = 2,
               .run = [&] { ran = true; },
               .fail =
                   [&](const Error& error) {
                     if (error.code() == ErrorCode::kAborted) ++failures;
                   }});
  thread.cancel(2);
  thread.cancel(2);
  thread.cancel(77);
  expect(failures == 1, "one ERR_ABORTED, at once");
  blocker.release();
  closeAndWait(thread);
  expect(!ran && !blocker.sawCancellation, "the cancelled job not to run, and the running one not to be cancelled");
}

void cancelsRunning(std::span<char*>) {
  InferenceThread thread(0);
  Blocker blocker;
  thread.post(blocker.job(1));
  blocker.awaitStart();
  thread.cancel(1);
  closeAndWait(thread);
  expect(blocker.sawCancellation, "the running job to be cancelled");
}

void refusesWhenClosed(std::span<char*>) {
  InferenceThread thread(0);
  closeAndWait(thread);
  expect(!thread.close([] {}), "the second close to be refused");
  bool refused = false;
  try {
    thread.post({.id = 0, .run = [] {}, .fail = ignoreFailure});
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kDisposed;
  }
  expect(refused, "ERR_DISPOSED after close");
}

void stops(std::span<char*>) {
  std::atomic<int> failed = 0;
  Blocker blocker;
  InferenceThread thread(0);
  thread.post(blocker.job(1));
  blocker.awaitStart();
  for (int i = 0; i < 10; ++i) thread.post({.id = 0, .run = [] {}, .fail = [&](const Error&) { ++failed; }});
  thread.stop();
  expect(failed == 10 && blocker.sawCancellation, "every waiting job to fail, and the running one to be cancelled");
}

/// Several threads post and cancel at once. For the thread sanitizer.
void survivesContention(std::span<char*>) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 2000;
  std::atomic<int> ended = 0;
  {
    InferenceThread thread(0);
    std::vector<std::thread> clients;
    for (int client = 0; client < kThreads; ++client) {
      clients.emplace_back([&, client] {
        for (int i = 0; i < kJobs; ++i) {
          const auto id = static_cast<std::uint64_t>(client * kJobs + i + 1);
          thread.post({.id = id, .run = [&] { ++ended; }, .fail = [&](const Error&) { ++ended; }});
          if (i % 2 == 0) thread.cancel(id);
        }
      });
    }
    for (std::thread& client : clients) client.join();
  }
  expect(ended == kThreads * kJobs, "each job to run or fail exactly once");
}

constexpr std::array<test::Test, 7> kTests{{
    {"runs all jobs in order before it ends", runsInOrder},
    {"refuses jobs past the limit, and runs the accepted ones", refusesPastTheLimit},
    {"fails a cancelled waiting job once", cancelsWaiting},
    {"requests cancellation of a running job", cancelsRunning},
    {"refuses jobs, and a second close, after it was closed", refusesWhenClosed},
    {"fails waiting jobs and cancels the running one when it is stopped", stops},
    {"runs or fails each job exactly once under contention", survivesContention},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
