#include "bindings/environment.h"

#include <chrono>
#include <string>

namespace torch_t5 {
namespace {

using SharedEnvironment = std::shared_ptr<Environment>;

}  // namespace

Environment& Environment::create(Napi::Env env) {
  auto environment = SharedEnvironment(new Environment(env));
  Environment& reference = *environment;
  env.SetInstanceData(new SharedEnvironment(std::move(environment)));
  return reference;
}

Environment& Environment::of(Napi::Env env) { return **env.GetInstanceData<SharedEnvironment>(); }

Environment::Environment(Napi::Env env) : env_(env) {
  const auto name = Napi::String::New(env, "torch-t5");
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, name, /*max_queue_size=*/0, /*initial_thread_count=*/1,
                                      nullptr, nullptr, nullptr, runAction, &toJavaScriptThread_);
  if (status != napi_ok) throw Napi::Error::New(env);
  napi_unref_threadsafe_function(env, toJavaScriptThread_);
  // Node runs the hooks last in, first out: the threads end before the function that they call is closed.
  napi_add_env_cleanup_hook(env, onCleanup, this);
}

void Environment::add(std::shared_ptr<ModelRunner> runner) {
  if (isShutDown_) throw Error(ErrorCode::kDisposed, "Expected a running process but received a load while it exits");
  runners_.insert(std::move(runner));
}

void Environment::retire(const std::shared_ptr<ModelRunner>& runner) {
  if (isShutDown_) return;
  runner->dispose([this, weak = std::weak_ptr(runner)] {
    post([this, weak](Napi::Env) {
      if (const auto disposed = weak.lock()) remove(disposed);
    });
  });
}

void Environment::post(Action action) {
  auto owned = std::make_unique<Action>(std::move(action));
  const napi_status status = napi_call_threadsafe_function(toJavaScriptThread_, owned.get(), napi_tsfn_nonblocking);
  if (status == napi_ok) owned.release();  // runAction owns it now
}

ProgressCallback Environment::observeRequest(std::uint64_t id, const RequestSize& size) {
  using Clock = std::chrono::steady_clock;
  if (observer_.IsEmpty()) return {};
  const auto number = [env = env_](auto value) { return Napi::Number::New(env, static_cast<double>(value)); };
  observer_.Call(
      {number(id), Napi::String::New(env_, "queued"), number(0), number(size.rows), number(size.inputTokens)});
  return [this, id, queued = Clock::now()](Progress progress) {
    const std::chrono::duration<double, std::milli> time = Clock::now() - queued;
    post([this, id, progress, ms = time.count()](Napi::Env env) {
      if (observer_.IsEmpty()) return;
      observer_.Call({Napi::Number::New(env, static_cast<double>(id)),
                      Napi::String::New(env, progress == Progress::kStarted ? "started" : "firstToken"),
                      Napi::Number::New(env, ms)});
    });
  };
}

void Environment::endCall() {
  if (--pendingCalls_ == 0) napi_unref_threadsafe_function(env_, toJavaScriptThread_);
}

void Environment::runAction(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Action> action(static_cast<Action*>(data));
  if (env == nullptr) return;  // the environment is being torn down
  try {
    (*action)(env);
  } catch (const Napi::Error&) {
    // A worker that is being terminated refuses to settle promises. Nothing is left that could wait for them.
  }
}

void Environment::onCleanup(void* self) { static_cast<Environment*>(self)->shutDown(); }

void Environment::shutDown() {
  isShutDown_ = true;
  for (const auto& runner : runners_) runner->stop();
  runners_.clear();
}

Napi::Error toJs(Napi::Env env, const Error& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, std::string(codeName(error.code()))));
  return result;
}

}  // namespace torch_t5
