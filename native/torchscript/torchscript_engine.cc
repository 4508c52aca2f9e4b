#include "torchscript/torchscript_engine.h"

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <utility>

#include "core/errors.h"
#include "engine/reductions.h"
#include "torchscript/program.h"
#include "torchscript/torchscript_cache.h"
#include "weights/archive.h"

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

DecoderOutput toDecoderOutput(c10::IValue tuple, const at::Tensor& attentionMask, const LogitsSelection& wanted) {
  std::vector<c10::IValue> elements = takeElements(std::move(tuple), 3);
  return {selectLogits(std::move(elements[0]).toTensor(), wanted), std::move(elements[1]).toTensor(),
          std::make_shared<const TorchScriptCache>(elements[2].toTensorVector(), attentionMask)};
}

/// A row for each that is decoded.
at::Tensor rowsOf(const at::Tensor& tensor, const at::Tensor& rows) {
  return rows.defined() ? at::index_select(tensor, 0, rows) : tensor;
}

/// The rows of `model.lm_head.weight`; none where an archive that the exporter didn't write lacks it.
std::optional<std::int64_t> findVocabSize(const torch::jit::Module& module) {
  c10::IValue value = module._ivalue();
  for (const char* name : {"model", "lm_head", "weight"}) {
    if (!value.isObject() || !value.toObjectRef().type()->hasAttribute(name)) return std::nullopt;
    value = value.toObjectRef().getAttr(name);
  }
  if (!value.isTensor() || value.toTensor().dim() != 2) return std::nullopt;
  return value.toTensor().size(0);
}

enum class Method { kForward, kEncode, kPrefill, kStep };
constexpr std::array<const char*, 4> kMethodNames{"forward", "encode", "prefill", "step"};

class TorchScriptEngine final : public Engine {
 public:
  TorchScriptEngine(torch::jit::Module module, const at::Device& device)
      : device_(device), vocabSize_(findVocabSize(module)), module_(std::move(module)), tensors_(device) {
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

  std::int64_t vocabSize() const override {
    if (vocabSize_) return *vocabSize_;
    throw Error(ErrorCode::kModelCorrupt, "Expected the matrix model.lm_head.weight in model.pt but received none");
  }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& wanted) override {
    std::vector<c10::IValue> elements =
        takeElements(program(Method::kForward).run({inputIds, attentionMask, decoderInputIds}), 3);
    return {selectLogits(std::move(elements[0]).toTensor(), wanted), std::move(elements[1]).toTensor(),
            std::move(elements[2]).toTensor()};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    return program(Method::kEncode).run({inputIds, attentionMask}).toTensor();
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& wanted) override {
    const at::Tensor attentionMask = rowsOf(source.encoderOutput->attentionMask, source.rows);
    const at::Tensor hiddenState = rowsOf(source.encoderOutput->lastHiddenState, source.rows);
    return toDecoderOutput(program(Method::kPrefill).run({decoderInputIds, hiddenState, attentionMask}), attentionMask,
                           wanted);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& wanted) override {
    const auto& torchscriptCache = dynamic_cast<const TorchScriptCache&>(*cache);
    const at::Tensor& attentionMask = torchscriptCache.attentionMask();
    return toDecoderOutput(program(Method::kStep).run({decoderInputIds, attentionMask, torchscriptCache.past()}),
                           attentionMask, wanted);
  }

 private:
  const Program& program(Method method) {
    const auto index = static_cast<std::size_t>(method);
    std::optional<Program>& slot = programs_.at(index);
    if (!slot) slot.emplace(*module_, kMethodNames.at(index), tensors_);
    return *slot;
  }

  at::Device device_;
  std::optional<std::int64_t> vocabSize_;
  std::optional<torch::jit::Module> module_;
  DeviceTensors tensors_;
  std::array<std::optional<Program>, kMethodNames.size()> programs_;
};

}  // namespace

std::unique_ptr<Engine> loadTorchScriptEngine(const std::string& path, const at::Device& device) {
  return std::make_unique<TorchScriptEngine>(readArchive(path), device);
}

}  // namespace torch_t5
