// The JavaScript objects of a loaded model and of a user's head.
#pragma once

#include <memory>

#include "bindings/native_object.h"
#include "engine/head.h"
#include "generation/stopping_criteria.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

class HeadObject : public NativeObject<HeadObject> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e14, 0x8f60c1d7a2b9e504};

  static void define(Napi::Env env);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<const Head> head);

  explicit HeadObject(const Napi::CallbackInfo& info) : NativeObject(info) {}

  /// Throws ERR_DISPOSED.
  std::shared_ptr<const Head> head() const;

 private:
  Napi::Value inputs(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<const Head> head_;  // null: disposed
};

class ModelObject : public NativeObject<ModelObject> {
 public:
  static constexpr napi_type_tag kTag{0x7d1f5a3c9be24e10, 0x8f60c1d7a2b9e500};

  static void define(Napi::Env env);

  /// The addon's `load(options): Promise<NativeModel>`, the only source of usable objects.
  static Napi::Value load(const Napi::CallbackInfo& info);

  explicit ModelObject(const Napi::CallbackInfo& info) : NativeObject(info) {}
  ~ModelObject() override;

 private:
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<ModelRunner> runner, ModelInfo loaded);

  Napi::Value forward(const Napi::CallbackInfo& info);
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value forwardEncoder(const Napi::CallbackInfo& info);
  Napi::Value embed(const Napi::CallbackInfo& info);
  Napi::Value classify(const Napi::CallbackInfo& info);
  Napi::Value score(const Napi::CallbackInfo& info);
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value startSearch(const Napi::CallbackInfo& info);
  Napi::Value loadHead(const Napi::CallbackInfo& info);
  Napi::Value loadDense(const Napi::CallbackInfo& info);
  void uploadTokenTexts(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  void abort(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);

  std::weak_ptr<Environment> environment_;  // expires before the last finalizers run
  std::shared_ptr<ModelRunner> runner_;     // null: never loaded
  ModelInfo loaded_;
  std::shared_ptr<const TokenTexts> texts_;  // null until uploaded
  Napi::Reference<Napi::Promise> disposal_;
};

}  // namespace torch_t5
