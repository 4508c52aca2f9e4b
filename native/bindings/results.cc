#include "bindings/results.h"

#include <utility>

#include "bindings/environment.h"

namespace torch_t5 {
namespace {

template <class Array>
void setTensor(Napi::Env env, Napi::Object object, const char* name, at::Tensor tensor) {
  if (!tensor.defined()) return;
  Napi::Array shape = Napi::Array::New(env, tensor.sizes().size());
  for (std::uint32_t axis = 0; axis < tensor.sizes().size(); ++axis) {
    shape.Set(axis, Napi::Number::New(env, static_cast<double>(tensor.size(axis))));
  }
  const auto count = static_cast<std::size_t>(tensor.numel());
  const Napi::ArrayBuffer buffer = Environment::of(env).buffers().wrap(env, std::move(tensor));
  Napi::Object result = Napi::Object::New(env);
  result.Set("data", Array::New(env, count, buffer, 0));
  result.Set("shape", shape);
  object.Set(name, result);
}

}  // namespace

Napi::Object toJavaScript(Napi::Env env, ForwardResult result) {
  Napi::Object object = Napi::Object::New(env);
  setTensor<Napi::Float32Array>(env, object, "logits", std::move(result.logits));
  setTensor<Napi::Float32Array>(env, object, "values", std::move(result.values));
  setTensor<Napi::Int32Array>(env, object, "indices", std::move(result.indices));
  setTensor<Napi::Float32Array>(env, object, "encoderLastHiddenState", std::move(result.encoderLastHiddenState));
  setTensor<Napi::Float32Array>(env, object, "decoderLastHiddenState", std::move(result.decoderLastHiddenState));
  if (result.loss) object.Set("loss", Napi::Number::New(env, *result.loss));
  return object;
}

Napi::Object toJavaScript(Napi::Env env, const RuntimeInfo& info) {
  Napi::Array devices = Napi::Array::New(env, info.cudaDevices.size());
  for (std::uint32_t index = 0; index < info.cudaDevices.size(); ++index) {
    devices.Set(index, Napi::String::New(env, info.cudaDevices[index]));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("libtorchVersion", Napi::String::New(env, info.libtorchVersion));
  object.Set("cpuCapability", Napi::String::New(env, info.cpuCapability));
  object.Set("parallelBackend", Napi::String::New(env, info.parallelBackend));
  object.Set("intraOpThreads", Napi::Number::New(env, info.intraOpThreads));
  object.Set("interOpThreads", Napi::Number::New(env, info.interOpThreads));
  object.Set("cudaDevices", devices);
  return object;
}

}  // namespace torch_t5
