#include "engine/scripted/scripted_engine.h"

#include <ATen/ATen.h>

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
  DecoderOutput output{std::move(elements[0]).toTensor(), std::move(elements[1]).toTensor(), {}};
  if (elements[2].isTensorList()) {
    output.past = elements[2].toTensorVector();
    return output;
  }
  for (std::size_t index = 2; index < elements.size(); ++index) {
    output.past.push_back(std::move(elements[index]).toTensor());
  }
  return output;
}

class ScriptedEngine final : public Engine {
 public:
  ScriptedEngine(const torch::jit::Module& module, DeviceTensors tensors)
      : device_(tensors.device()),
        forward_(module, "forward", tensors),
        encode_(module, "encode", tensors),
        prefill_(module, "prefill", tensors),
        step_(module, "step", tensors) {}

  at::Device device() const override { return device_; }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask,
                        const at::Tensor& decoderInputIds) override {
    std::vector<c10::IValue> elements = takeElements(forward_.run({inputIds, attentionMask, decoderInputIds}), 3);
    return {std::move(elements[0]).toTensor(), std::move(elements[1]).toTensor(), std::move(elements[2]).toTensor()};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    return encode_.run({inputIds, attentionMask}).toTensor();
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const at::Tensor& encoderLastHiddenState,
                        const at::Tensor& attentionMask) override {
    return toDecoderOutput(prefill_.run({decoderInputIds, encoderLastHiddenState, attentionMask}));
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const at::Tensor& attentionMask,
                     const std::vector<at::Tensor>& past) override {
    std::vector<c10::IValue> arguments{decoderInputIds, attentionMask};
    if (step_.graph()->inputs().size() == 3) {
      arguments.emplace_back(past);
    } else {
      arguments.insert(arguments.end(), past.begin(), past.end());
    }
    return toDecoderOutput(step_.run(std::move(arguments)));
  }

 private:
  at::Device device_;
  Program forward_;
  Program encode_;
  Program prefill_;
  Program step_;
};

}  // namespace

std::unique_ptr<Engine> loadScriptedEngine(const std::string& path, const at::Device& device) {
  // Meta tensors hold no data to read: the archive is read on the CPU and its shapes are placed afterwards.
  const torch::jit::Module module = readArchive(path, device.is_meta() ? at::Device(at::kCPU) : device);
  return std::make_unique<ScriptedEngine>(module, DeviceTensors(device));
}

}  // namespace torch_t5
