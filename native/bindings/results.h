// Results as JavaScript values. A tensor becomes a typed array over libtorch's own memory.
#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/forward.h"
#include "engine/log_probs.h"
#include "engine/runtime_info.h"
#include "engine/scoring.h"
#include "generation/search.h"
#include "runtime/model_runner.h"

namespace torch_t5 {

/// The tensors whose memory JavaScript holds. Used on JavaScript's thread only.
class TensorBuffers : public std::enable_shared_from_this<TensorBuffers> {
 public:
  /// An ArrayBuffer over the tensor's memory, which is freed with the buffer. A copy if the runtime refuses external
  /// memory (Electron, V8's sandbox). `tensor`: contiguous, on the CPU, the only owner of its memory.
  Napi::ArrayBuffer wrap(Napi::Env env, at::Tensor tensor);

  /// Detaches a buffer that `wrap` returned and frees its tensor now. Ignores any other value.
  void release(Napi::Env env, const Napi::Value& buffer);

 private:
  /// Freed by the ArrayBuffer's finalizer.
  struct Holder {
    at::Tensor tensor;
    std::shared_ptr<TensorBuffers> owner;  // shared, because the finalizer may run after the Environment is freed
  };

  static void finalize(napi_env env, void* data, void* hint);

  std::unordered_map<const void*, Holder*> holders_;
};

/// `{ data, shape }`: a Float32Array, or an Int32Array for an int32 tensor, made by `TensorBuffers::wrap`.
Napi::Object toJs(Napi::Env env, at::Tensor tensor);

Napi::Array toJs(Napi::Env env, at::IntArrayRef sizes);

/// The names of the reasons, undefined for a sequence that goes on.
Napi::Array toJs(Napi::Env env, const std::vector<FinishReason>& reasons);

// Objects with a property for each member that is defined.

Napi::Object toJs(Napi::Env env, ForwardResult result);
Napi::Object toJs(Napi::Env env, ScoreResult result);
Napi::Object toJs(Napi::Env env, TokenLogProbs logProbs);
Napi::Object toJs(Napi::Env env, GenerateResult result);

Napi::Object toJs(Napi::Env env, const RuntimeInfo& info);

Napi::Object toJs(Napi::Env env, const ModelStats& model);

}  // namespace torch_t5
