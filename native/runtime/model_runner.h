// One loaded model: an engine, and the scheduler of the requests that use it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/requests.h"
#include "core/tensor_memory.h"
#include "engine/engine.h"
#include "runtime/request.h"
#include "runtime/scheduler.h"

namespace torch_t5 {

struct ModelInfo {
  std::string device;  // "cpu", "cuda:0"
};

struct ModelStats {
  SchedulerStats scheduler;
  std::size_t reusableBytes = 0;  // of tensors that have ended, kept for the next ones
};

/// What an observer of a request is told of it.
struct RequestSize {
  std::int64_t rows = 0;         // of the source, or of a session; 0: unknown
  std::int64_t inputTokens = 0;  // that the encoder reads, without padding
};

/// How a request is scheduled.
struct Scheduling {
  std::uint64_t id = 0;                              // for `cancel`, unique among the pending requests
  CacheSize cacheSize;                               // without rows: it keeps no caches between calls
  bool waitsForConsumer = false;                     // between steps, so that its rows do not count as running ones
  std::int64_t priority = 0;                         // requests with a higher priority are admitted first
  Job::Clock::time_point since = Job::Clock::now();  // of the same priority, the earliest first
  bool isObserved = false;                           // whether JavaScript wants to know of its progress
  RequestSize size;                                  // of an observed request
};

/// All methods may be called from any thread except the scheduler's. All but `stop` return at once.
class ModelRunner {
 public:
  explicit ModelRunner(LoadOptions options);

  /// Loads the model. Call it once, before any other method. Throws nothing: the callback receives ERR_MODEL_NOT_FOUND,
  /// ERR_MODEL_CORRUPT, ERR_MODEL_UNTRUSTED, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY, or ERR_INVALID_ARGUMENT for a
  /// precision that the device does not support.
  void load(Callback<ModelInfo> callback);

  /// Runs a request on the scheduler's thread, in inference mode. Throws ERR_QUEUE_FULL or ERR_DISPOSED; the callback
  /// receives what the task throws. `progress` may be empty.
  template <class Value>
  void submit(const Scheduling& scheduling, typename Request<Value>::Start start, Callback<Value> callback,
              ProgressCallback progress = {});

  /// The request's callback receives ERR_ABORTED, unless the request has already ended.
  void cancel(std::uint64_t id) { scheduler_.cancel(id); }

  /// Accepts no more requests. When the accepted ones have ended, frees the engine and calls `disposed` on the
  /// scheduler's thread. Returns false, and never calls `disposed`, if the model was disposed before.
  bool dispose(std::function<void()> disposed);

  /// After a consumer has given a request credit.
  void wake() { scheduler_.wake(); }

  /// Ends the accepted requests with ERR_ABORTED.
  void abort() { scheduler_.abort(); }

  /// Aborts all requests and waits for the running pass.
  void stop() { scheduler_.stop(); }

  ModelStats stats() const { return {scheduler_.stats(), tensorMemory_.freeBytes()}; }

 private:
  class EnginePasses final : public Passes {
   public:
    explicit EnginePasses(ModelRunner& runner) : runner_(runner) {}
    void runThread(const std::function<void()>& loop) override;
    bool mergesCalls() const override;
    void run(std::span<Work* const> works) override;
    void runEach(std::int64_t count, const std::function<void(std::int64_t)>& task) override;

   private:
    static void runCalls(Engine& engine, std::span<Work* const> works);

    ModelRunner& runner_;
    bool isRunning_ = false;
  };

  ModelInfo loadEngine();

  /// The bytes of a request's caches; 0 without an engine. JavaScript may make a request while the engine is freed.
  std::int64_t cacheBytes(const CacheSize& size) const;

  /// Sets the thread count of the operators that the scheduler's thread calls.
  void setThreads() const;

  const LoadOptions options_;
  std::unique_ptr<Engine> engine_;
  mutable std::mutex enginePointerMutex_;  // for threads other than the scheduler's, which alone sets the pointer
  Engine* enginePointer_ = nullptr;        // `engine_`, for requests
  bool hasOwnThreadPool_ = false;          // the engine does not use libtorch's threads
  std::int64_t cores_ = 1;                 // that the engine computes with
  TensorMemory tensorMemory_;              // of what requests and their calls compute
  EnginePasses passes_{*this};
  Scheduler scheduler_;  // last: its jobs use the members above
};

template <class Value>
void ModelRunner::submit(const Scheduling& scheduling, typename Request<Value>::Start start, Callback<Value> callback,
                         ProgressCallback progress) {
  scheduler_.post({
      .id = scheduling.id,
      .rows = scheduling.waitsForConsumer ? 0 : scheduling.cacheSize.rows,
      .cacheBytes = cacheBytes(scheduling.cacheSize),
      .priority = scheduling.priority,
      .since = scheduling.since,
      .work = std::make_unique<Request<Value>>(enginePointer_, std::move(start), callback),
      .fail = [callback](const Error& error) { callback(error); },
      .progress = std::move(progress),
  });
}

}  // namespace torch_t5
