// The JavaScript object of one loaded model.
#pragma once

#include <napi.h>

#include <memory>

#include "runtime/model_runner.h"

namespace torch_t5 {

class Environment;

class Model : public Napi::ObjectWrap<Model> {
 public:
  /// Defines the class in the environment; JavaScript gets its objects from `load` only.
  static void define(Napi::Env env);

  /// `load(options): Promise<NativeModel>`.
  static Napi::Value load(const Napi::CallbackInfo& info);

  /// An empty object, disposed from birth: `load` fills it in.
  explicit Model(const Napi::CallbackInfo& info);
  ~Model() override;

 private:
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, ModelInfo loaded);

  Napi::Value forward(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value intraOpThreads(const Napi::CallbackInfo& info);

  std::weak_ptr<Environment> environment_;  // gone before the last finalizers run
  std::shared_ptr<ModelRunner> runner_;
  ModelInfo loaded_;
  Napi::Reference<Napi::Promise> disposal_;
};

}  // namespace torch_t5
