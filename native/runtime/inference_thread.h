// A thread that runs jobs one after another, in the order in which they came.
//
//   JavaScript's thread          this thread
//   post(job) ---- queue ----->  job.run()
//   cancel(id): a waiting job is taken out and failed here; a running one is asked to end
//   close(last): no more jobs; those accepted still run, then `last`, then the thread ends
//   stop(): nothing accepted runs any more, the running job is asked to end, and the thread is joined
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
  std::uint64_t id = 0;                    // for cancel(); 0 can't be cancelled
  std::function<void()> run;               // on the inference thread; throws nothing
  std::function<void(const Error&)> fail;  // when the job never ran, on whichever thread found out
};

class InferenceThread {
 public:
  /// `maxQueueLength`: jobs that may wait, the running one not counted; 0: no limit.
  explicit InferenceThread(std::size_t maxQueueLength);
  ~InferenceThread();
  InferenceThread(const InferenceThread&) = delete;
  InferenceThread& operator=(const InferenceThread&) = delete;

  /// Throws ERR_QUEUE_FULL, or ERR_DISPOSED after close() or stop().
  void post(Job job);

  void cancel(std::uint64_t id);

  /// Returns at once; false when it was closed before, and `last` is not called then.
  bool close(std::function<void()> last);

  /// Blocks for at most the operator that is running. Never call it from a job.
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
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace torch_t5
