#include "bindings/decoding_session.h"

#include <utility>

#include "bindings/arguments.h"
#include "bindings/calls.h"
#include "bindings/results.h"
#include "bindings/values.h"
#include "core/errors.h"

namespace torch_t5 {

void DecodingSession::define(Napi::Env env) {
  defineClass(env, "NativeDecodingSession",
              {
                  InstanceMethod<&DecodingSession::decode>("decode"),
                  InstanceMethod<&DecodingSession::fork>("fork"),
                  InstanceMethod<&DecodingSession::dispose>("dispose"),
              });
}

Napi::Value DecodingSession::wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner,
                                  std::shared_ptr<const DecoderState> state) {
  DecodingSession& session = make(env);
  session.runner_ = std::move(runner);
  session.cell_->state = std::move(state);
  return session.Value();
}

std::shared_ptr<const DecoderState> DecodingSession::idleState() const {
  if (!cell_->state) throw Error(ErrorCode::kDisposed, "Expected a session in use but received one that was disposed");
  if (!cell_->busy) return cell_->state;
  throw Error(ErrorCode::kInvalidArgument, "Expected an idle session but received one with a step that still runs");
}

Napi::Value DecodingSession::decode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return withErrors(env, [&] {
    const Napi::Object object = toObject(info[0], "request");
    const std::uint64_t id = toCallId(object.Get("id"));
    const auto request = std::make_shared<const DecodeRequest>(toDecodeRequest(object));
    const std::shared_ptr<const DecoderState> state = idleState();
    cell_->busy = true;
    return startCall<DecodeResult>(
        env, runner_, id, [state, request](Engine& engine) { return runDecode(engine, *state, *request); },
        [cell = cell_](Napi::Env env, Outcome<DecodeResult> outcome) -> Napi::Value {
          cell->busy = false;
          DecodeResult result = valueOrThrow(env, std::move(outcome));
          if (cell->state) cell->state = std::make_shared<const DecoderState>(std::move(result.state));
          return toJavaScript(env, std::move(result.forward));
        });
  });
}

Napi::Value DecodingSession::fork(const Napi::CallbackInfo& info) {
  return withErrors(info.Env(), [&] { return wrap(info.Env(), runner_, idleState()); });
}

void DecodingSession::dispose(const Napi::CallbackInfo&) { cell_->state.reset(); }

}  // namespace torch_t5
