#include "bindings/search_object.h"

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/environment.h"
#include "bindings/results.h"
#include "bindings/step_queue.h"
#include "bindings/values.h"
#include "core/cancellation.h"
#include "core/credit.h"
#include "core/errors.h"
#include "engine/result_copies.h"

namespace torch_t5 {
namespace {

struct PreparedStep {
  at::Tensor sequences;  // [Q, length] int32
  at::Tensor scores;     // [Q, V] float32
};

struct Step {
  at::Tensor tokenIds;                      // [Q] int32
  std::vector<FinishReason> finishReasons;  // [R]: after this step
  Search::StepOutputs outputs;              // undefined unless taken
  std::optional<GenerateResult> result;     // after the last step
};

Error ended() {
  return {ErrorCode::kDisposed, "Expected a search in use but received one that was disposed or is done"};
}

/// A few ids: a copy costs less than an external buffer.
Napi::Int32Array copyToJs(Napi::Env env, const at::Tensor& ids) {
  Napi::Int32Array array = Napi::Int32Array::New(env, static_cast<std::size_t>(ids.numel()));
  std::memcpy(array.Data(), ids.const_data_ptr(), ids.nbytes());
  return array;
}

Napi::Object stepToJs(Napi::Env env, PreparedStep step) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("sequences", toJs(env, std::move(step.sequences)));
  object.Set("scores", toJs(env, std::move(step.scores)));
  return object;
}

Napi::Object stepToJs(Napi::Env env, Step step) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("tokenIds", copyToJs(env, step.tokenIds));
  object.Set("finishReasons", toJs(env, step.finishReasons));
  if (step.outputs.logits.defined()) object.Set("logits", toJs(env, std::move(step.outputs.logits)));
  if (step.outputs.logProbs.chosen.defined()) object.Set("logProbs", toJs(env, std::move(step.outputs.logProbs)));
  if (step.result) object.Set("result", toJs(env, *std::move(step.result)));
  return object;
}

Task<PreparedStep> runPrepare(std::shared_ptr<Search> search, SharedEngine& engine) {
  at::Tensor scores = co_await search->prepareEditable(engine);
  co_return PreparedStep{owned(search->sequences(), at::kInt), std::move(scores)};
}

Task<Step> runAdvance(std::shared_ptr<Search> search, SharedEngine& engine, bool takeOutputs) {
  const bool isDone = co_await search->advance(engine);
  Step step{owned(search->sequences().select(1, -1), at::kInt),
            toFinishReasons(search->finishReasons()),
            takeOutputs ? search->takeOutputs() : Search::StepOutputs(),
            {}};
  if (isDone) step.result = search->finish();
  co_return std::move(step);
}

}  // namespace

void SearchObject::define(Napi::Env env) {
  defineClass(env, "NativeSearch",
              {
                  InstanceMethod<&SearchObject::prepare>("prepare"),
                  InstanceMethod<&SearchObject::advance>("advance"),
                  InstanceMethod<&SearchObject::next>("next"),
                  InstanceMethod<&SearchObject::dispose>("dispose"),
              });
}

Napi::Value SearchObject::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, std::shared_ptr<Search> search,
                               const CacheSize& cacheSize, Job::Clock::time_point since) {
  SearchObject& object = make(env);
  object.runner_ = std::move(runner);
  object.state_->search = std::move(search);
  object.cacheSize_ = cacheSize;
  object.since_ = since;
  return object.Value();
}

std::shared_ptr<Search> SearchObject::idleSearch() const {
  if (!state_->search) {
    throw ended();
  }
  if (!state_->isBusy && !state_->producer) return state_->search;
  throw Error(ErrorCode::kInvalidArgument, "Expected an idle search but received one whose last step still runs");
}

Napi::Value SearchObject::prepare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&] {
    Scheduling scheduling = toScheduling(toObject(info[0], "request"));
    const std::shared_ptr<Search> search = idleSearch();
    if (since_) scheduling.since = *since_;
    state_->isBusy = true;
    return startCall<PreparedStep>(
        env, runner_, scheduling, [search](SharedEngine& engine) { return runPrepare(search, engine); },
        [state = state_](Napi::Env env, Outcome<PreparedStep> outcome) -> Napi::Value {
          state->isBusy = false;
          PreparedStep step = valueOrThrow(env, std::move(outcome));
          state->prepared = step.scores;
          return stepToJs(env, std::move(step));
        });
  });
}

/// Applies the edits of the prepared scores and detaches their buffer, so that JavaScript can't write to it while the
/// next step runs. Edits are already in place unless the buffer is a copy.
void SearchObject::takeEdits(Napi::Env env, const Napi::Value& edited) {
  const at::Tensor prepared = std::exchange(state_->prepared, {});
  if (!isTypedArray(edited, napi_float32_array)) return;
  const auto array = edited.As<Napi::Float32Array>();
  const bool isCopy = prepared.defined() && array.Data() != prepared.data_ptr();
  if (isCopy && array.ByteLength() == prepared.nbytes()) {
    std::memcpy(prepared.data_ptr(), array.Data(), prepared.nbytes());
  }
  Environment::of(env).buffers().release(env, array.ArrayBuffer());
}

Napi::Value SearchObject::advance(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&] {
    const Napi::Object request = toObject(info[0], "request");
    Scheduling scheduling = toScheduling(request);
    const bool takeOutputs = boolean(request, "takeOutputs");
    const std::shared_ptr<Search> search = idleSearch();
    if (since_) scheduling.since = *std::exchange(since_, std::nullopt);
    takeEdits(env, request.Get("edited"));
    state_->isBusy = true;
    return startCall<Step>(
        env, runner_, scheduling,
        [search, takeOutputs](SharedEngine& engine) { return runAdvance(search, engine, takeOutputs); },
        [state = state_](Napi::Env env, Outcome<Step> outcome) -> Napi::Value {
          state->isBusy = false;
          Step step = valueOrThrow(env, std::move(outcome));
          if (step.result) state->search.reset();
          return stepToJs(env, std::move(step));
        });
  });
}

/// The steps that are computed before JavaScript asks for them: while it handles one, the next one runs.
constexpr std::int64_t kStepsAhead = 2;

struct SearchObject::Producer {
  StepQueue<Step> queue;
  Credit credit{kStepsAhead};

  static Task<std::monostate> run(std::shared_ptr<Producer> producer, std::shared_ptr<Search> search,
                                  SharedEngine& engine, bool takeOutputs) {
    bool isDone = false;
    while (!isDone) {
      const bool goesOn = co_await engine.spend(producer->credit);
      if (!goesOn) break;
      Step step = co_await runAdvance(search, engine, takeOutputs);
      isDone = step.result.has_value();
      producer->queue.push(std::move(step));
    }
    co_return std::monostate{};
  }
};

void SearchObject::startProducer(const Scheduling& scheduling, bool takeOutputs) {
  const auto producer = std::make_shared<Producer>();
  Scheduling ahead = scheduling;
  ahead.cacheSize = cacheSize_;
  ahead.waitsForConsumer = true;
  ahead.isObserved = false;
  if (since_) ahead.since = *std::exchange(since_, std::nullopt);
  runner_->submit<std::monostate>(
      ahead,
      [producer, search = state_->search, takeOutputs](SharedEngine& engine) {
        return Producer::run(producer, search, engine, takeOutputs);
      },
      [producer](Outcome<std::monostate> outcome) {
        const Error* error = std::get_if<Error>(&outcome);
        producer->queue.end(error != nullptr ? *error : ended());
      });
  state_->producer = producer;
}

Napi::Value SearchObject::next(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&]() -> Napi::Value {
    const Napi::Object request = toObject(info[0], "request");
    const Scheduling scheduling = toScheduling(request);
    const bool takeOutputs = boolean(request, "takeOutputs");
    if (!state_->producer) {
      idleSearch();
      startProducer(scheduling, takeOutputs);
    } else if (!state_->search) {
      idleSearch();  // throws
    }
    // Without a promise, which costs JavaScript's thread more than a small step.
    if (std::optional<Step> step = state_->producer->queue.take()) {
      if (step->result) state_->search.reset();
      state_->producer->credit.add();
      runner_->wake();
      return stepToJs(env, *std::move(step));
    }
    const auto deferred = Napi::Promise::Deferred::New(env);
    state_->producer->queue.ask(Environment::of(env).beginCall<Step>(
        deferred, [state = state_](Napi::Env env, Outcome<Step> outcome) -> Napi::Value {
          Step step = valueOrThrow(env, std::move(outcome));
          if (step.result) state->search.reset();
          return stepToJs(env, std::move(step));
        }));
    state_->producer->credit.add();
    runner_->wake();
    return deferred.Promise();
  });
}

void SearchObject::dispose(const Napi::CallbackInfo&) { end(); }

void SearchObject::end() {
  state_->search.reset();
  state_->prepared.reset();
  if (!state_->producer) return;
  state_->producer->credit.close();
  runner_->wake();
  state_->producer->queue.close(aborted());
}

}  // namespace torch_t5
