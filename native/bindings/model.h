// The JavaScript object of one loaded model.
#pragma once

#include <memory>

#include "bindings/native_object.h"
#include "generation/token_texts.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

class Model : public NativeObject<Model> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e10, 0x8f60c1d7a2b9e500};

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
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value embed(const Napi::CallbackInfo& info);
  Napi::Value score(const Napi::CallbackInfo& info);
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value startGeneration(const Napi::CallbackInfo& info);
  Napi::Value loadHead(const Napi::CallbackInfo& info);
  void uploadTokenTexts(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);

  std::weak_ptr<Environment> environment_;  // gone before the last finalizers run
  std::shared_ptr<ModelRunner> runner_;
  ModelInfo loaded_;
  std::shared_ptr<const TokenTexts> texts_;
  Napi::Reference<Napi::Promise> disposal_;
};

}  // namespace torch_t5
