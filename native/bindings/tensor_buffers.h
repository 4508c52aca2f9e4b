// Tensors as ArrayBuffers over libtorch's own memory.
#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

#include <memory>
#include <unordered_map>

namespace torch_t5 {

/// The tensors that JavaScript holds. Used on JavaScript's thread only.
class TensorBuffers : public std::enable_shared_from_this<TensorBuffers> {
 public:
  /// An ArrayBuffer over the tensor's memory, which lives as long as the buffer does. Where the runtime refuses
  /// external memory (Electron, V8's sandbox) it is a copy. `tensor`: contiguous, on the CPU, the only owner of its
  /// memory.
  Napi::ArrayBuffer wrap(Napi::Env env, at::Tensor tensor);

  /// Detaches the buffer and frees its tensor now. Any other buffer is left alone.
  void release(Napi::Env env, const Napi::Value& buffer);

 private:
  /// Owned by the ArrayBuffer's finalizer.
  struct Holder {
    at::Tensor tensor;
    std::shared_ptr<TensorBuffers> owner;  // the finalizer may run after the environment's own data is gone
  };

  static void finalize(napi_env env, void* data, void* hint);

  std::unordered_map<const void*, Holder*> holders_;
};

}  // namespace torch_t5
