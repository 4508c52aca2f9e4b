#include "bindings/results.h"

#include <cstring>
#include <utility>
#include <vector>

#include "bindings/environment.h"

namespace torch_t5 {
namespace {

void setTensor(Napi::Env env, Napi::Object object, const char* name, at::Tensor tensor) {
  if (tensor.defined()) object.Set(name, toJs(env, std::move(tensor)));
}

void setTensors(Napi::Env env, Napi::Object object, const char* name, std::vector<at::Tensor> tensors) {
  if (tensors.empty()) return;
  Napi::Array array = Napi::Array::New(env, tensors.size());
  for (std::uint32_t index = 0; index < tensors.size(); ++index) {
    array.Set(index, toJs(env, std::move(tensors[index])));
  }
  object.Set(name, array);
}

Napi::Value toJs(Napi::Env env, FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return Napi::String::New(env, "eos");
    case FinishReason::kStop:
      return Napi::String::New(env, "stop");
    case FinishReason::kLength:
      return Napi::String::New(env, "length");
    case FinishReason::kTime:
      return Napi::String::New(env, "time");
    case FinishReason::kUnfinished:
      break;
  }
  return env.Undefined();
}

}  // namespace

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
  if (data == nullptr || found == holders_.end()) return;
  // Out of the table before the buffer is detached: Bun and Deno run the finalizer, which frees the holder, within
  // napi_detach_arraybuffer. The tensor is freed at the end of this function, after the buffer has let go of it.
  Holder* const holder = found->second;
  at::Tensor tensor = std::move(holder->tensor);
  holders_.erase(found);
  if (napi_detach_arraybuffer(env, buffer) == napi_ok) return;
  // Not detached, so not finalized either.
  holder->tensor = std::move(tensor);
  holders_[data] = holder;
}

void TensorBuffers::finalize(napi_env, void* data, void* hint) {
  const std::unique_ptr<Holder> holder(static_cast<Holder*>(hint));
  const auto found = holder->owner->holders_.find(data);
  // After `release` another tensor may have been given the same address.
  if (found != holder->owner->holders_.end() && found->second == holder.get()) holder->owner->holders_.erase(found);
}

Napi::Array toJs(Napi::Env env, at::IntArrayRef sizes) {
  Napi::Array shape = Napi::Array::New(env, sizes.size());
  for (std::uint32_t axis = 0; axis < sizes.size(); ++axis) {
    shape.Set(axis, Napi::Number::New(env, static_cast<double>(sizes[axis])));
  }
  return shape;
}

Napi::Array toJs(Napi::Env env, const std::vector<FinishReason>& reasons) {
  Napi::Array names = Napi::Array::New(env, reasons.size());
  for (std::uint32_t row = 0; row < reasons.size(); ++row) names.Set(row, toJs(env, reasons[row]));
  return names;
}

Napi::Object toJs(Napi::Env env, at::Tensor tensor) {
  const auto count = static_cast<std::size_t>(tensor.numel());
  const bool isFloat = tensor.scalar_type() == at::kFloat;
  Napi::Object object = Napi::Object::New(env);
  const Napi::Array shape = toJs(env, tensor.sizes());
  const Napi::ArrayBuffer buffer = Environment::of(env).buffers().wrap(env, std::move(tensor));
  if (isFloat) {
    object.Set("data", Napi::Float32Array::New(env, count, buffer, 0));
  } else {
    object.Set("data", Napi::Int32Array::New(env, count, buffer, 0));
  }
  object.Set("shape", shape);
  return object;
}

Napi::Object toJs(Napi::Env env, ForwardResult result) {
  Napi::Object object = Napi::Object::New(env);
  setTensor(env, object, "logits", std::move(result.logits));
  setTensor(env, object, "values", std::move(result.values));
  setTensor(env, object, "indices", std::move(result.indices));
  setTensor(env, object, "encoderLastHiddenState", std::move(result.encoderLastHiddenState));
  setTensor(env, object, "decoderLastHiddenState", std::move(result.decoderLastHiddenState));
  setTensors(env, object, "encoderHiddenStates", std::move(result.layers.encoderHiddenStates));
  setTensors(env, object, "decoderHiddenStates", std::move(result.layers.decoderHiddenStates));
  setTensors(env, object, "encoderAttentions", std::move(result.layers.encoderAttentions));
  setTensors(env, object, "decoderAttentions", std::move(result.layers.decoderAttentions));
  setTensors(env, object, "crossAttentions", std::move(result.layers.crossAttentions));
  if (result.loss) object.Set("loss", Napi::Number::New(env, *result.loss));
  setTensor(env, object, "headOutput", std::move(result.headOutput));
  return object;
}

Napi::Object toJs(Napi::Env env, ScoreResult result) {
  Napi::Object object = Napi::Object::New(env);
  setTensor(env, object, "scores", std::move(result.scores));
  setTensor(env, object, "logProbs", std::move(result.logProbs));
  return object;
}

Napi::Object toJs(Napi::Env env, TokenLogProbs logProbs) {
  Napi::Object object = Napi::Object::New(env);
  setTensor(env, object, "chosen", std::move(logProbs.chosen));
  setTensor(env, object, "values", std::move(logProbs.values));
  setTensor(env, object, "indices", std::move(logProbs.indices));
  return object;
}

Napi::Object toJs(Napi::Env env, GenerateResult result) {
  Napi::Object object = Napi::Object::New(env);
  setTensor(env, object, "sequences", std::move(result.sequences));
  object.Set("finishReasons", toJs(env, result.finishReasons));
  object.Set("lengths", toJs(env, at::IntArrayRef(result.lengths)));
  setTensors(env, object, "logits", std::move(result.logits));
  setTensors(env, object, "scores", std::move(result.scores));
  setTensor(env, object, "sequenceScores", std::move(result.sequenceScores));
  setTensor(env, object, "beamIndices", std::move(result.beamIndices));
  setTensor(env, object, "transitionScores", std::move(result.transitionScores));
  if (result.logProbs.chosen.defined()) object.Set("logProbs", toJs(env, std::move(result.logProbs)));
  return object;
}

Napi::Object toJs(Napi::Env env, const RuntimeInfo& info) {
  Napi::Array devices = Napi::Array::New(env, info.cudaDevices.size());
  for (std::uint32_t index = 0; index < info.cudaDevices.size(); ++index) {
    devices.Set(index, Napi::String::New(env, info.cudaDevices[index]));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("cpuCapability", Napi::String::New(env, info.cpuCapability));
  object.Set("kernels", Napi::String::New(env, info.kernels));
  object.Set("parallelBackend", Napi::String::New(env, info.parallelBackend));
  object.Set("intraOpThreads", Napi::Number::New(env, info.intraOpThreads));
  object.Set("interOpThreads", Napi::Number::New(env, info.interOpThreads));
  object.Set("cudaDevices", devices);
  object.Set("cudaLibrary", Napi::String::New(env, info.cudaLibrary));
  return object;
}

Napi::Object toJs(Napi::Env env, const ModelStats& model) {
  const SchedulerStats& stats = model.scheduler;
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) { object.Set(name, Napi::Number::New(env, value)); };
  const auto setCount = [&](const char* name, auto value) { set(name, static_cast<double>(value)); };
  setCount("running", stats.running);
  setCount("waiting", stats.waiting);
  setCount("runningRows", stats.runningRows);
  setCount("cacheBytes", stats.cacheBytes);
  setCount("reusableBytes", model.reusableBytes);
  setCount("steps", stats.steps);
  setCount("lastStepRows", stats.stepRows);
  setCount("lastPassTokens", stats.passPositions);
  set("tokensPerSecond", stats.tokensPerSecond);
  set("stepMsP50", stats.stepMs.p50);
  set("stepMsP99", stats.stepMs.p99);
  set("queueMsP50", stats.queueMs.p50);
  set("queueMsP99", stats.queueMs.p99);
  return object;
}

}  // namespace torch_t5
