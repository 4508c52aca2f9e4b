#include "bindings/search_object.h"

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/environment.h"
#include "bindings/results.h"
#include "bindings/values.h"
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
  at::Tensor logits;                        // [Q, V]; undefined unless taken
  std::optional<GenerateResult> result;     // after the last step
};

Napi::Object stepToJs(Napi::Env env, PreparedStep step) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("sequences", toJs(env, std::move(step.sequences)));
  object.Set("scores", toJs(env, std::move(step.scores)));
  return object;
}

Napi::Object stepToJs(Napi::Env env, Step step) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("tokenIds", toJs(env, std::move(step.tokenIds)));
  object.Set("finishReasons", toJs(env, step.finishReasons));
  if (step.logits.defined()) object.Set("logits", toJs(env, std::move(step.logits)));
  if (step.result) object.Set("result", toJs(env, *std::move(step.result)));
  return object;
}

PreparedStep runPrepare(Search& search, Engine& engine) {
  at::Tensor scores = search.prepareEditable(engine);
  return {owned(search.sequences(), at::kInt), std::move(scores)};
}

Step runAdvance(Search& search, Engine& engine, bool takeLogits) {
  search.advance(engine);
  Step step{owned(search.sequences().select(1, -1), at::kInt),
            toFinishReasons(search.finishReasons()),
            takeLogits ? search.takeLogits() : at::Tensor(),
            {}};
  if (search.done()) step.result = search.finish();
  return step;
}

}  // namespace

void SearchObject::define(Napi::Env env) {
  defineClass(env, "NativeSearch",
              {
                  InstanceMethod<&SearchObject::prepare>("prepare"),
                  InstanceMethod<&SearchObject::advance>("advance"),
                  InstanceMethod<&SearchObject::dispose>("dispose"),
              });
}

Napi::Value SearchObject::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, std::shared_ptr<Search> search) {
  SearchObject& object = make(env);
  object.runner_ = std::move(runner);
  object.state_->search = std::move(search);
  return object.Value();
}

std::shared_ptr<Search> SearchObject::idleSearch() const {
  if (!state_->search) {
    throw Error(ErrorCode::kDisposed, "Expected a search in use but received one that was disposed or is done");
  }
  if (!state_->isBusy) return state_->search;
  throw Error(ErrorCode::kInvalidArgument, "Expected an idle search but received one whose last step still runs");
}

Napi::Value SearchObject::prepare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&] {
    const std::uint64_t id = toCallId(toObject(info[0], "request").Get("id"));
    const std::shared_ptr<Search> search = idleSearch();
    state_->isBusy = true;
    return startCall<PreparedStep>(
        env, runner_, id, [search](Engine& engine) { return runPrepare(*search, engine); },
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
    const std::uint64_t id = toCallId(request.Get("id"));
    const bool takeLogits = boolean(request, "takeLogits");
    const std::shared_ptr<Search> search = idleSearch();
    takeEdits(env, request.Get("edited"));
    state_->isBusy = true;
    return startCall<Step>(
        env, runner_, id, [search, takeLogits](Engine& engine) { return runAdvance(*search, engine, takeLogits); },
        [state = state_](Napi::Env env, Outcome<Step> outcome) -> Napi::Value {
          state->isBusy = false;
          Step step = valueOrThrow(env, std::move(outcome));
          if (step.result) state->search.reset();
          return stepToJs(env, std::move(step));
        });
  });
}

void SearchObject::dispose(const Napi::CallbackInfo&) {
  state_->search.reset();
  state_->prepared.reset();
}

}  // namespace torch_t5
