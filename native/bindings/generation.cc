#include "bindings/generation.h"

#include <cstring>
#include <optional>
#include <utility>

#include "bindings/calls.h"
#include "bindings/results.h"
#include "bindings/values.h"
#include "core/errors.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

/// What one step gave.
struct Step {
  at::Tensor tokenIds;  // int32 [Q]
  at::Tensor logits;    // undefined: not asked for
  std::optional<GenerateResult> result;
};

struct Prepared {
  at::Tensor sequences;  // int32 [Q, length]
  at::Tensor scores;
};

Step advanceSearch(Search& search, Engine& engine, bool takeLogits) {
  search.advance(engine);
  Step step{owned(search.sequences().select(1, -1), at::kInt), takeLogits ? search.takeLogits() : at::Tensor(), {}};
  if (search.done()) step.result = search.finish();
  return step;
}

}  // namespace

void Generation::define(Napi::Env env) {
  defineClass(env, "NativeGeneration",
              {
                  InstanceMethod<&Generation::prepare>("prepare"),
                  InstanceMethod<&Generation::advance>("advance"),
                  InstanceMethod<&Generation::dispose>("dispose"),
              });
}

Napi::Value Generation::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, std::shared_ptr<Search> search) {
  Generation& generation = make(env);
  generation.runner_ = std::move(runner);
  generation.cell_->search = std::move(search);
  return generation.Value();
}

std::shared_ptr<Search> Generation::idleSearch() const {
  if (!cell_->search) {
    throw Error(ErrorCode::kDisposed, "Expected a generation in use but received one that was disposed or has ended");
  }
  if (!cell_->busy) return cell_->search;
  throw Error(ErrorCode::kInvalidArgument, "Expected an idle generation but received one with a step that still runs");
}

Napi::Value Generation::prepare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&] {
    const std::uint64_t id = toCallId(toObject(info[0], "request").Get("id"));
    const std::shared_ptr<Search> search = idleSearch();
    cell_->busy = true;
    return startCall<Prepared>(
        env, runner_, id,
        [search](Engine& engine) {
          at::Tensor scores = search->prepareEditable(engine);
          return Prepared{owned(search->sequences(), at::kInt), std::move(scores)};
        },
        [cell = cell_](Napi::Env env, Outcome<Prepared> outcome) -> Napi::Value {
          cell->busy = false;
          Prepared prepared = valueOrThrow(env, std::move(outcome));
          cell->prepared = prepared.scores;
          Napi::Object object = Napi::Object::New(env);
          object.Set("sequences", toJavaScript(env, std::move(prepared.sequences)));
          object.Set("scores", toJavaScript(env, std::move(prepared.scores)));
          return object;
        });
  });
}

/// Takes over what JavaScript wrote where its buffer is a copy, and makes sure that it writes nothing later.
void Generation::takeEdits(Napi::Env env, const Napi::Value& edited) {
  const at::Tensor prepared = std::exchange(cell_->prepared, {});
  if (!edited.IsTypedArray() || edited.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) return;
  const auto array = edited.As<Napi::Float32Array>();
  const bool isCopy = prepared.defined() && array.Data() != prepared.data_ptr();
  if (isCopy && array.ByteLength() == prepared.nbytes()) {
    std::memcpy(prepared.data_ptr(), array.Data(), prepared.nbytes());
  }
  Environment::of(env).buffers().release(env, array.ArrayBuffer());
}

Napi::Value Generation::advance(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&] {
    const Napi::Object request = toObject(info[0], "request");
    const std::uint64_t id = toCallId(request.Get("id"));
    const bool takeLogits = boolean(request, "takeLogits");
    const std::shared_ptr<Search> search = idleSearch();
    takeEdits(env, request.Get("edited"));
    cell_->busy = true;
    return startCall<Step>(
        env, runner_, id, [search, takeLogits](Engine& engine) { return advanceSearch(*search, engine, takeLogits); },
        [cell = cell_](Napi::Env env, Outcome<Step> outcome) -> Napi::Value {
          cell->busy = false;
          Step step = valueOrThrow(env, std::move(outcome));
          Napi::Object object = Napi::Object::New(env);
          object.Set("tokenIds", toJavaScript(env, std::move(step.tokenIds)));
          if (step.logits.defined()) object.Set("logits", toJavaScript(env, std::move(step.logits)));
          if (step.result) {
            cell->search.reset();
            object.Set("result", toJavaScript(env, *std::move(step.result)));
          }
          return object;
        });
  });
}

void Generation::dispose(const Napi::CallbackInfo&) {
  cell_->search.reset();
  cell_->prepared.reset();
}

}  // namespace torch_t5
