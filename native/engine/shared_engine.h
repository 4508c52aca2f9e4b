// The engine as a request sees it: several requests share it, so each method suspends the request until its pass has
// run. The runtime decides which passes run next, and together.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <span>
#include <utility>

#include "core/credit.h"
#include "core/task.h"
#include "engine/engine_calls.h"

namespace torch_t5 {

/// Used by one request.
class SharedEngine {
 public:
  explicit SharedEngine(Engine& engine) : engine_(engine) {}
  SharedEngine(const SharedEngine&) = delete;
  SharedEngine& operator=(const SharedEngine&) = delete;

  at::Device device() const { return engine_.device(); }
  std::int64_t vocabSize() const { return engine_.vocabSize(); }
  bool isBatchInvariant() const { return engine_.isBatchInvariant(); }
  bool sharesGreedySearches(std::int64_t rows) const { return engine_.sharesGreedySearches(rows); }

  // The engine's methods. Each task throws what the engine throws, and ERR_ABORTED if the request was cancelled.

  Task<at::Tensor> encode(at::Tensor inputIds, at::Tensor attentionMask);
  Task<ForwardOutput> forward(at::Tensor inputIds, at::Tensor attentionMask, at::Tensor decoderInputIds,
                              LogitsSelection selection);
  /// Waits for the call's pass. The results are in the call.
  Task<DecodeCall> decode(DecodeCall call);
  Task<std::optional<at::Tensor>> decodeGreedily(const GreedyRequest& request);
  /// The ids that a shared greedy search adds, int64 [R, n] on the CPU.
  Task<at::Tensor> searchGreedily(const GreedySearch& search);
  Task<at::Tensor> classify(at::Tensor inputIds, at::Tensor attentionMask, Sentence sentence);

  /// Waits until there is credit, and spends it. Returns false if the credit is closed.
  Task<bool> spend(Credit& credit);

  /// The call that the request waits for. Null: it waits for credit, runs, or has ended.
  EngineCall* waitsFor() const { return pending_; }

  /// The credit that the request waits for. Null: it waits for a call, runs, or has ended.
  const Credit* waitsForCredit() const { return credit_; }

  /// Continues the request after its call has run, or when it has credit, until it waits again or ends.
  void resume();

  /// As `resume`, but what the request waits for throws `error`.
  void fail(std::exception_ptr error);

 private:
  class Pass;         // suspends the request until a call has run
  class CreditPause;  // suspends the request until there is credit

  Engine& engine_;
  EngineCall* pending_ = nullptr;
  const Credit* credit_ = nullptr;
  std::exception_ptr creditError_;
  std::coroutine_handle<> waiting_;
};

/// Runs a request that has the engine to itself, to its end. `start`: returns the request's task for a SharedEngine.
template <class Start>
auto runAlone(Engine& engine, Start&& start) {
  SharedEngine shared(engine);
  auto task = std::forward<Start>(start)(shared);
  task.start();
  while (EngineCall* call = shared.waitsFor()) {
    if (std::holds_alternative<SharedGreedyCall>(call->call)) {
      engine.runTogether(std::span(&call, 1));
    } else {
      run(engine, *call);
    }
    if (call->hasEnded()) shared.resume();
  }
  return task.take();
}

}  // namespace torch_t5
