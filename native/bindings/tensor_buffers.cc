#include "bindings/tensor_buffers.h"

#include <cstring>
#include <utility>

namespace torch_t5 {

Napi::ArrayBuffer TensorBuffers::wrap(Napi::Env env, at::Tensor tensor) {
  if (tensor.numel() == 0) return Napi::ArrayBuffer::New(env, 0);
  void* data = tensor.data_ptr();
  const std::size_t bytes = tensor.nbytes();
  auto holder = std::make_unique<Holder>(Holder{std::move(tensor), shared_from_this()});
  napi_value value = nullptr;
  const napi_status status = napi_create_external_arraybuffer(env, data, bytes, finalize, holder.get(), &value);
  if (status == napi_ok) {
    holders_[data] = holder.release();
    return {env, value};
  }
  Napi::ArrayBuffer copy = Napi::ArrayBuffer::New(env, bytes);
  std::memcpy(copy.Data(), data, bytes);
  return copy;
}

void TensorBuffers::release(Napi::Env env, const Napi::Value& buffer) {
  if (!buffer.IsArrayBuffer()) return;
  void* data = nullptr;
  std::size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, buffer, &data, &bytes) != napi_ok) return;
  const auto found = holders_.find(data);
  if (data == nullptr || found == holders_.end() || napi_detach_arraybuffer(env, buffer) != napi_ok) return;
  found->second->tensor.reset();
  holders_.erase(found);
}

void TensorBuffers::finalize(napi_env, void* data, void* hint) {
  const std::unique_ptr<Holder> holder(static_cast<Holder*>(hint));
  const auto found = holder->owner->holders_.find(data);
  // After release() the same address may belong to a younger tensor.
  if (found != holder->owner->holders_.end() && found->second == holder.get()) holder->owner->holders_.erase(found);
}

}  // namespace torch_t5
