// The scheduler of a model: the thread on which its requests run, and the order in which they use the engine.
//
//   JavaScript's thread           the scheduler's thread
//   post(job) ---- waiting ---->  admit: work->start()
//                                 turn:  a pass of other calls, then a step of all running rows and new ones
//                                        work->resume() for each call that has run: of a step on several threads
//   cancel(id): removes a waiting job and fails it here; a running one fails before its next pass
//   wake(): a running job that waited for its consumer may go on
//   close(last): accepts no more jobs; runs the accepted ones, fails those that wait for their consumers, then runs
//                `last`, then the thread ends
//   stop(): fails the waiting jobs, requests cancellation of the running ones, and joins the thread
//
// Depends neither on libtorch nor on Node.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/cancellation.h"
#include "core/errors.h"
#include "runtime/recent_values.h"

namespace torch_t5 {

/// What a running request waits for.
enum class Wait {
  kNothing,   // it has ended
  kStep,      // one more position of rows that have a cache
  kPrefill,   // the first positions of a decoder's rows, which a step may compute too
  kCall,      // any other call of the engine
  kCredit,    // nothing any more: its consumer has given it credit to go on
  kConsumer,  // its consumer, who has to give it credit and then `wake` the scheduler
};

/// A request that runs on the scheduler's thread. No method throws.
class Work {
 public:
  Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  virtual ~Work() = default;

  /// Runs the request until it waits for the engine or ends.
  virtual void start() = 0;

  virtual Wait wait() const = 0;

  /// The positions that the awaited call computes.
  virtual std::int64_t positions() const = 0;

  /// The steps of the last pass that ran it as one that waited for a step.
  virtual std::int64_t steps() const { return 1; }

  /// Continues after a pass has run the awaited call. It may go on waiting for it: a pass may run a part of a call. May
  /// be called on another thread than the scheduler's.
  virtual void resume() = 0;

  /// Continues with an error instead of the awaited call.
  virtual void fail(const Error& error) = 0;

  /// Passes the result on if the request has ended. Called on the scheduler's thread, after each other method that
  /// starts or continues the request.
  virtual void settle() = 0;
};

/// Runs the calls that requests wait for. Its methods are called on the scheduler's thread.
class Passes {
 public:
  Passes() = default;
  Passes(const Passes&) = delete;
  Passes& operator=(const Passes&) = delete;
  virtual ~Passes() = default;

  /// Runs the scheduler's thread: calls `loop`, in the context that requests and their calls need.
  virtual void runThread(const std::function<void()>& loop) = 0;

  /// Whether the calls of several requests may run in one pass.
  virtual bool mergesCalls() const = 0;

  /// Runs the awaited calls: of one request, or in one pass of several. Stores errors in the calls. Throws nothing.
  virtual void run(std::span<Work* const> works) = 0;

  /// Runs `task` for 0 to `count - 1`, in any order and on any threads, and returns when all have ended. Tasks throw
  /// nothing. `count`: at least 2.
  virtual void runEach(std::int64_t count, const std::function<void(std::int64_t)>& task) = 0;
};

enum class Progress {
  kStarted,     // the job was admitted
  kFirstToken,  // it waits for its first step, so the token before has been chosen
};

/// Called on the scheduler's thread. Must not throw.
using ProgressCallback = std::function<void(Progress)>;

struct Job {
  using Clock = std::chrono::steady_clock;

  std::uint64_t id = 0;                    // for cancel(); a job with id 0 can't be cancelled
  std::int64_t rows = 0;                   // that it decodes step by step; 0: it only makes other calls
  std::int64_t cacheBytes = 0;             // of its caches; reserved while it runs
  std::int64_t priority = 0;               // jobs with a higher priority are admitted first
  Clock::time_point since = Clock::now();  // of the same priority, the earliest first
  std::unique_ptr<Work> work;
  std::function<void(const Error&)> fail;  // called instead of `work->start`, on the thread that cancels or stops
  ProgressCallback progress;               // may be empty
};

/// Limits of what runs at the same time.
struct SchedulerLimits {
  std::size_t maxQueueLength = 0;      // waiting jobs; 0: no limit
  std::int64_t maxBatchSize = 64;      // rows in a step; a job with more rows runs alone
  std::int64_t maxBatchTokens = 2048;  // positions in another pass; a call with more runs alone
  std::int64_t maxCacheBytes = 0;      // reserved for caches; a job with more runs alone; 0: no limit
};

struct SchedulerStats {
  std::size_t running = 0;         // jobs
  std::size_t waiting = 0;         // jobs
  std::int64_t runningRows = 0;    // that running jobs decode
  std::int64_t steps = 0;          // since the start
  std::int64_t stepRows = 0;       // of the last step
  std::int64_t passPositions = 0;  // other than steps, of the last pass that computed any
  std::int64_t cacheBytes = 0;     // reserved for the caches of running jobs
  double tokensPerSecond = 0;      // rows of the steps of the last seconds
  Quantiles stepMs;
  Quantiles queueMs;  // from post to admission
};

class Scheduler {
 public:
  Scheduler(const SchedulerLimits& limits, Passes& passes);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Throws ERR_QUEUE_FULL, or ERR_DISPOSED after close() or stop().
  void post(Job job);

  void cancel(std::uint64_t id);

  /// Returns at once. Returns false, and never calls `last`, if the scheduler was closed or stopped before.
  bool close(std::function<void()> last);

  /// After a consumer has given credit.
  void wake();

  /// Fails the waiting jobs and requests cancellation of the running ones.
  void abort();

  /// As `abort`, and accepts no more jobs. Waits for the running pass. Must not be called on the scheduler's thread.
  void stop();

  SchedulerStats stats() const;

 private:
  using Clock = Job::Clock;

  struct Waiting {
    Job job;
    Clock::time_point posted;
  };

  struct Running {
    std::uint64_t id = 0;
    std::int64_t rows = 0;
    std::int64_t cacheBytes = 0;
    std::int64_t priority = 0;
    std::uint64_t passes = 0;    // that have run for it
    std::uint64_t lastPass = 0;  // the number of the last one, or of the one before its admission
    bool isInPass = false;
    bool hasStepped = false;
    bool isOrphaned = false;  // the model was disposed while it waited for its consumer
    Cancellation cancellation;
    std::unique_ptr<Work> work;
    ProgressCallback progress;
  };
  using RunningList = std::list<std::unique_ptr<Running>>;

  void loop();
  bool waitForJobs();
  bool hasRunnable() const;
  void resumeCredited();
  void turn();
  void interlude();

  void failCancelled();
  void admit();
  Running* moveAdmissible(std::int64_t startedPositions);
  std::deque<Waiting>::const_iterator findAdmissible(std::int64_t startedPositions) const;
  bool isAdmissible(const Job& job, bool rowsAreBlocked, std::int64_t startedPositions) const;
  bool hasRoom(const Job& job) const;

  void runCalls();
  void runSteps();
  std::vector<Running*> nextSteps() const;
  std::vector<Running*> nextPrefills(bool haveSteps) const;
  std::vector<Running*> joiningPrefills() const;
  std::vector<Running*> waitingFor(Wait wait) const;
  std::int64_t maxPrefillPositions(bool haveSteps) const;
  bool canRunCall(const Running& running) const;
  std::int64_t maxPositions() const;
  void runPass(std::span<Running* const> running, bool offersInterludes);
  void resumeTogether(std::span<Running* const> running);
  void resumeCalls(std::span<Running* const> running);
  void advance(Running& running, const std::function<void()>& continueWork);
  void finishAdvance(Running& running);
  void removeEnded();
  void recordSteps(std::span<Running* const> running, Clock::time_point start);
  void recordPass(std::int64_t positions);
  const std::function<void()>* interludeOrNull() const;

  const SchedulerLimits limits_;
  Passes& passes_;

  mutable std::mutex mutex_;  // of the members down to `last_`
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;  // by priority, then by `since`
  RunningList running_;  // by arrival. Only the scheduler's thread changes it, so it reads it without the mutex.
  bool closed_ = false;
  Cancellation stopped_;
  std::function<void()> last_;
  std::int64_t steps_ = 0;
  std::int64_t stepRows_ = 0;
  std::int64_t passPositions_ = 0;
  RecentValues stepMs_;
  RecentValues queueMs_;
  std::deque<std::pair<Clock::time_point, std::int64_t>> decoded_;  // rows of the steps of the last seconds

  // Used on the scheduler's thread.
  std::uint64_t lastPass_ = 0;     // the number of the last pass
  bool prefersFirstCalls_ = true;  // whether the next pass of other calls starts with a job's first call
  std::function<void()> interlude_ = [this] { interlude(); };
  bool isInInterlude_ = false;
  Clock::time_point lastInterlude_;

  std::thread thread_;  // last: it uses the members above
};

}  // namespace torch_t5
