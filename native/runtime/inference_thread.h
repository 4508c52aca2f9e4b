// A thread that runs jobs one after another, in the order in which they were posted.
//
//   JavaScript's thread          inference thread
//   post(job) ---- queue ----->  job.run()
//   cancel(id): removes a waiting job and fails it here; requests cancellation of a running one
//   close(last): accepts no more jobs; runs the accepted ones, then `last`, then the thread ends
//   stop(): fails the waiting jobs, requests cancellation of the running one, and joins the thread
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/cancellation.h"
#include "core/errors.h"

namespace torch_t5 {

struct Job {
  std::uint64_t id = 0;                    // for cancel(); a job with id 0 cannot be cancelled
  std::function<void()> run;               // called on the inference thread; throws nothing
  std::function<void(const Error&)> fail;  // called instead of `run`, on the thread that cancels or stops
};

class InferenceThread {
 public:
  /// `maxQueueLength`: the maximum number of waiting jobs, the running one not counted; 0: no limit.
  explicit InferenceThread(std::size_t maxQueueLength);
  ~InferenceThread();
  InferenceThread(const InferenceThread&) = delete;
  InferenceThread& operator=(const InferenceThread&) = delete;

  /// Throws ERR_QUEUE_FULL, or ERR_DISPOSED after close() or stop().
  void post(Job job);

  void cancel(std::uint64_t id);

  /// Returns at once. Returns false, and never calls `last`, if the thread was closed or stopped before.
  bool close(std::function<void()> last);

  /// Waits for the running operator. Must not be called from a job.
  void stop();

 private:
  struct Running {
    std::uint64_t id = 0;
    Cancellation* cancellation = nullptr;
  };

  void loop();
  bool takeNext(Job& job, Cancellation& cancellation);
  void finish();

  const std::size_t maxQueueLength_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  Running running_;
  bool closed_ = false;
  std::function<void()> last_;
  std::thread thread_;  // last: it uses the members above
};

}  // namespace torch_t5
