// One loaded model: an engine, and the thread that alone touches it.
#pragma once

#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/requests.h"
#include "engine/threads.h"
#include "runtime/engine_loader.h"
#include "runtime/inference_thread.h"
#include "runtime/outcome.h"

namespace torch_t5 {

struct ModelInfo {
  std::string device;  // "cpu", "cuda:0"
  int intraOpThreads = 0;
};

/// Its methods may be called from any thread but its own and return at once, `stop` excepted.
class ModelRunner {
 public:
  explicit ModelRunner(LoadOptions options);

  /// Call it once, before anything else. Throws nothing: a failure goes to `callback`.
  void load(Callback<ModelInfo> callback);

  /// Runs `compute` on the inference thread, in the order of the calls. Throws ERR_QUEUE_FULL or ERR_DISPOSED; what
  /// `compute` throws goes to `callback`. `id` is the one that `cancel` takes, unique among the calls in flight.
  template <class Value>
  void submit(std::uint64_t id, std::function<Value(Engine&)> compute, Callback<Value> callback);

  /// The call's settlement becomes ERR_ABORTED, unless it has ended.
  void cancel(std::uint64_t id) { thread_.cancel(id); }

  /// Takes no more calls; once those accepted have ended the engine is freed and `disposed` is called on the inference
  /// thread. False, without a call, when it was disposed before.
  bool dispose(std::function<void()> disposed);

  /// Aborts every call and waits for the running operator.
  void stop() { thread_.stop(); }

 private:
  ModelInfo loadEngine();

  /// The threads of the operators that this thread calls.
  void useThreads() const {
    if (loaded_.hasOwnThreads) {
      disableIntraOpThreads();
    } else {
      setIntraOpThreads(options_.intraOpThreads);
    }
  }

  const LoadOptions options_;
  LoadedEngine loaded_;
  InferenceThread thread_;  // last: its jobs use the above
};

template <class Value>
void ModelRunner::submit(std::uint64_t id, std::function<Value(Engine&)> compute, Callback<Value> callback) {
  thread_.post({
      .id = id,
      .run =
          [this, compute = std::move(compute), callback] {
            callback(outcomeOf<Value>([&] {
              useThreads();
              const c10::InferenceMode inferenceMode;
              return compute(*loaded_.engine);
            }));
          },
      .fail = [callback](const Error& error) { callback(error); },
  });
}

}  // namespace torch_t5
