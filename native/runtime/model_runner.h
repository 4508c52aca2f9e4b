// One loaded model: an engine, and the inference thread that uses it.
#pragma once

#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "core/errors.h"
#include "core/requests.h"
#include "engine/engine.h"
#include "engine/libtorch_errors.h"
#include "runtime/inference_thread.h"

namespace torch_t5 {

/// The result of a call on another thread: a value or an error.
template <class Value>
using Outcome = std::variant<Value, Error>;

/// Called exactly once, on any thread. Must not throw.
template <class Value>
using Callback = std::function<void(Outcome<Value>)>;

struct ModelInfo {
  std::string device;  // "cpu", "cuda:0"
};

/// All methods may be called from any thread except the inference thread. All but `stop` return at once.
class ModelRunner {
 public:
  explicit ModelRunner(LoadOptions options);

  /// Loads the model. Call it once, before any other method. Throws nothing: the callback receives ERR_MODEL_NOT_FOUND,
  /// ERR_MODEL_CORRUPT, ERR_MODEL_UNTRUSTED, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY, or ERR_INVALID_ARGUMENT for a
  /// precision that the device does not support.
  void load(Callback<ModelInfo> callback);

  /// Runs `compute` on the inference thread, in inference mode, in the order of the calls. Throws ERR_QUEUE_FULL or
  /// ERR_DISPOSED; the callback receives what `compute` throws. `id`: for `cancel`, unique among the pending calls.
  template <class Value>
  void submit(std::uint64_t id, std::function<Value(Engine&)> compute, Callback<Value> callback);

  /// The call's callback receives ERR_ABORTED, unless the call has already ended.
  void cancel(std::uint64_t id) { thread_.cancel(id); }

  /// Accepts no more calls. When the accepted ones have ended, frees the engine and calls `disposed` on the inference
  /// thread. Returns false, and never calls `disposed`, if the model was disposed before.
  bool dispose(std::function<void()> disposed);

  /// Aborts all calls and waits for the running operator.
  void stop() { thread_.stop(); }

 private:
  ModelInfo loadEngine();

  /// Sets the thread count of the operators that the inference thread calls.
  void setThreads() const;

  const LoadOptions options_;
  std::unique_ptr<Engine> engine_;
  bool hasOwnThreadPool_ = false;  // the engine does not use libtorch's threads
  InferenceThread thread_;         // last: its jobs use the members above
};

/// What `compute` returns or throws.
template <class Value, class Compute>
Outcome<Value> outcomeOf(Compute&& compute) noexcept {
  try {
    return compute();
  } catch (...) {
    return describeCurrentException();
  }
}

template <class Value>
void ModelRunner::submit(std::uint64_t id, std::function<Value(Engine&)> compute, Callback<Value> callback) {
  thread_.post({
      .id = id,
      .run =
          [this, compute = std::move(compute), callback] {
            callback(outcomeOf<Value>([&] {
              setThreads();
              const c10::InferenceMode inferenceMode;
              return compute(*engine_);
            }));
          },
      .fail = [callback](const Error& error) { callback(error); },
  });
}

}  // namespace torch_t5
