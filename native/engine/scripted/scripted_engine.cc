#include "engine/scripted/scripted_engine.h"

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <utility>

#include "engine/scripted/archive.h"
#include "engine/scripted/program.h"
#include "errors.h"

namespace torch_t5 {
namespace {

/// A tuple's elements, each held by nobody else any more.
std::vector<c10::IValue> takeElements(c10::IValue tuple, std::size_t atLeast) {
  std::vector<c10::IValue> elements;
  if (tuple.isTuple()) elements = std::move(*std::move(tuple).toTuple()).elements().vec();
  if (elements.size() >= atLeast) return elements;
  throw Error(ErrorCode::kModelCorrupt, "Expected " + std::to_string(atLeast) +
                                            " outputs of a method of model.pt but received " +
                                            std::to_string(elements.size()));
}

DecoderOutput toDecoderOutput(c10::IValue tuple) {
  std::vector<c10::IValue> elements = takeElements(std::move(tuple), 3);
  return {std::move(elements[0]).toTensor(), std::move(elements[1]).toTensor(), elements[2].toTensorVector()};
}

enum class Method { kForward, kEncode, kPrefill, kStep };
constexpr std::array<const char*, 4> kMethodNames{"forward", "encode", "prefill", "step"};

class ScriptedEngine final : public Engine {
 public:
  ScriptedEngine(torch::jit::Module module, const at::Device& device)
      : device_(device), module_(std::move(module)), tensors_(device) {
    if (device_.is_cpu()) {
      program(Method::kForward);  // the others when they are first needed: together they would double the time to load
      return;
    }
    for (const Method method : {Method::kForward, Method::kEncode, Method::kPrefill, Method::kStep}) program(method);
    // The weights are on the device: the copy in this machine's memory can go.
    module_.reset();
    tensors_ = DeviceTensors(device_);
  }

  at::Device device() const override { return device_; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask,
                        const at::Tensor& decoderInputIds) override {
    std::vector<c10::IValue> elements =
        takeElements(program(Method::kForward).run({inputIds, attentionMask, decoderInputIds}), 3);
    return {std::move(elements[0]).toTensor(), std::move(elements[1]).toTensor(), std::move(elements[2]).toTensor()};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    return program(Method::kEncode).run({inputIds, attentionMask}).toTensor();
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const at::Tensor& encoderLastHiddenState,
                        const at::Tensor& attentionMask) override {
    return toDecoderOutput(program(Method::kPrefill).run({decoderInputIds, encoderLastHiddenState, attentionMask}));
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const at::Tensor& attentionMask,
                     const std::vector<at::Tensor>& past) override {
    return toDecoderOutput(program(Method::kStep).run({decoderInputIds, attentionMask, past}));
  }

 private:
  const Program& program(Method method) {
    const auto index = static_cast<std::size_t>(method);
    std::optional<Program>& slot = programs_.at(index);
    if (!slot) slot.emplace(*module_, kMethodNames.at(index), tensors_);
    return *slot;
  }

  at::Device device_;
  std::optional<torch::jit::Module> module_;
  DeviceTensors tensors_;
  std::array<std::optional<Program>, kMethodNames.size()> programs_;
};

}  // namespace

std::unique_ptr<Engine> loadScriptedEngine(const std::string& path, const at::Device& device) {
  return std::make_unique<ScriptedEngine>(readArchive(path), device);
}

}  // namespace torch_t5
