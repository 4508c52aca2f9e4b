// The JavaScript object of a search: step by step, so that JavaScript may edit the scores of each step, or with steps
// computed ahead, so that the search stays in the model's steps while JavaScript handles a token.
#pragma once

#include <memory>
#include <optional>

#include "bindings/native_object.h"
#include "generation/search.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

class SearchObject : public NativeObject<SearchObject> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e13, 0x8f60c1d7a2b9e503};

  static void define(Napi::Env env);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, std::shared_ptr<Search> search,
                          const CacheSize& cacheSize, Job::Clock::time_point since);

  explicit SearchObject(const Napi::CallbackInfo& info) : NativeObject(info) {}
  ~SearchObject() override { end(); }

 private:
  struct Producer;  // computes steps ahead

  /// Shared with the running call. Used on JavaScript's thread only.
  struct State {
    std::shared_ptr<Search> search;  // null: disposed, or done
    at::Tensor prepared;             // the scores that JavaScript may edit; undefined outside of a step
    bool isBusy = false;
    std::shared_ptr<Producer> producer;  // null: steps are computed one by one
  };

  /// Throws ERR_DISPOSED, and ERR_INVALID_ARGUMENT while a call runs.
  std::shared_ptr<Search> idleSearch() const;
  void takeEdits(Napi::Env env, const Napi::Value& edited);

  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value advance(const Napi::CallbackInfo& info);
  Napi::Value next(const Napi::CallbackInfo& info);
  void startProducer(const Scheduling& scheduling, bool takeOutputs);
  void end();
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelRunner> runner_;
  CacheSize cacheSize_;
  /// When the search was asked for. Until the first step, its requests have the place in the queue that the search had:
  /// a call waits once for its first token.
  std::optional<Job::Clock::time_point> since_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace torch_t5
