#include "torchscript/torchscript_engine.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/errors.h"
#include "torchscript/traced_method.h"
#include "weights/archive.h"

namespace torch_t5 {
namespace {

/// The elements of a tuple, which holds no references to them afterwards.
std::vector<c10::IValue> takeElements(c10::IValue tuple, std::size_t minCount) {
  std::vector<c10::IValue> elements;
  if (tuple.isTuple()) elements = std::move(*std::move(tuple).toTuple()).elements().vec();
  if (elements.size() >= minCount) return elements;
  throw Error(ErrorCode::kModelCorrupt, "Expected " + std::to_string(minCount) +
                                            " outputs of a method of model.pt but received " +
                                            std::to_string(elements.size()));
}

constexpr std::int64_t kAny = -1;

bool hasSizes(const at::Tensor& tensor, at::IntArrayRef sizes) {
  return std::equal(sizes.begin(), sizes.end(), tensor.sizes().begin(), tensor.sizes().end(),
                    [](std::int64_t expected, std::int64_t size) { return expected == kAny || expected == size; });
}

std::string describeSizes(at::IntArrayRef sizes) {
  std::string text;
  for (const std::int64_t size : sizes) {
    text += (text.empty() ? "[" : ", ") + (size == kAny ? std::string("any") : std::to_string(size));
  }
  return text + "]";
}

/// Code that the exporter didn't write can return anything; whoever reads the result relies on its shape.
at::Tensor takeOutput(c10::IValue value, const at::Device& device, at::IntArrayRef sizes) {
  at::Tensor output = value.isTensor() ? std::move(value).toTensor() : at::Tensor();
  if (output.defined() && output.scalar_type() == at::kFloat && output.layout() == at::kStrided &&
      output.device() == device && hasSizes(output, sizes)) {
    return output;
  }
  const std::string received =
      output.defined() ? output.toString() + " " + c10::str(output.sizes()) + " on " + output.device().str() : "none";
  throw Error(ErrorCode::kModelCorrupt, "Expected float32 " + describeSizes(sizes) + " on " + device.str() +
                                            " from a method of model.pt but received " + received);
}

/// As `takeOutput`, for a list of at least one tensor.
std::vector<at::Tensor> takeOutputs(c10::IValue value, const at::Device& device, at::IntArrayRef sizes) {
  std::vector<at::Tensor> outputs;
  if (value.isTensorList()) outputs = value.toTensorVector();
  if (outputs.empty()) {
    throw Error(ErrorCode::kModelCorrupt, "Expected tensors of every layer from a method but received none");
  }
  for (at::Tensor& output : outputs) output = takeOutput(std::move(output), device, sizes);
  return outputs;
}

/// One row per decoded row.
at::Tensor gatherRows(const at::Tensor& tensor, const at::Tensor& rows) {
  return rows.defined() ? at::index_select(tensor, 0, rows) : tensor;
}

/// The number of rows of `model.lm_head.weight`; none if the archive has no such matrix, which the exporter always
/// writes.
std::optional<std::int64_t> findVocabSize(const torch::jit::Module& module) {
  c10::IValue value = module._ivalue();
  for (const char* name : {"model", "lm_head", "weight"}) {
    if (!value.isObject() || !value.toObjectRef().type()->hasAttribute(name)) return std::nullopt;
    value = value.toObjectRef().getAttr(name);
  }
  if (!value.isTensor() || value.toTensor().dim() != 2) return std::nullopt;
  return value.toTensor().size(0);
}

/// An archive whose methods return outputs of layers, with the weights of model.pt.
class LayerMethods {
 public:
  LayerMethods(const char* option, const char* file, std::string path)
      : option_(option), file_(file), path_(std::move(path)) {}

  /// Reads the archive and compiles the method at their first use.
  const TracedMethod& compiled(Method method, const torch::jit::Module& weights, DeviceTensors& tensors) {
    if (path_.empty()) {
      throw invalidArgument("a model that was exported with " + file_ + " (export it again)", option_,
                            "one that was exported without it");
    }
    if (!code_) code_ = readLayerArchive(path_, file_);
    const auto index = static_cast<std::size_t>(method);
    std::optional<TracedMethod>& slot = methods_.at(index);
    if (!slot) slot.emplace(*code_, kMethodNames.at(index), weights, tensors);
    return *slot;
  }

 private:
  std::string option_;
  std::string file_;
  std::string path_;
  std::optional<torch::jit::Module> code_;
  std::array<std::optional<TracedMethod>, kMethodNames.size()> methods_;
};

class TorchScriptEngine final : public Engine {
 public:
  TorchScriptEngine(torch::jit::Module module, ModelKind kind, const at::Device& device, LayerArchives layers)
      : device_(device),
        kind_(kind),
        vocabSize_(findVocabSize(module)),
        module_(std::move(module)),
        tensors_(device),
        hiddenStates_("outputHiddenStates", "hidden_states.pt", std::move(layers.hiddenStates)),
        attentions_("outputAttentions", "attentions.pt", std::move(layers.attentions)) {
    // On the CPU each is compiled at its first use: a caller of generate never calls forward.
    if (device_.is_cpu()) return;
    for (const Method method : methodsOf(kind)) compiled(method);
    // The originals in the host's memory are freed.
    moveWeights();
    tensors_ = DeviceTensors(device_);
  }

  at::Device device() const override { return device_; }

  std::int64_t vocabSize() const override {
    if (vocabSize_) return *vocabSize_;
    throw Error(ErrorCode::kModelCorrupt, "Expected the matrix model.lm_head.weight in model.pt but received none");
  }

  ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask, const at::Tensor& decoderInputIds,
                        const LogitsSelection& selection) override {
    expectDecoder(kind_ == ModelKind::kGeneration);
    const bool hasLayers = !selection.layers.isEmpty();
    const std::int64_t rows = inputIds.size(0);
    const std::int64_t sourceLength = inputIds.size(1);
    const std::int64_t length = decoderInputIds.size(1);
    std::vector<c10::IValue> elements =
        takeElements(compiled(Method::kForward, selection.layers).run({inputIds, attentionMask, decoderInputIds}),
                     selection.layers.attentions ? 6 : 3);
    at::Tensor logits = selectLogits(takeLogits(std::move(elements[0]), rows, length), selection);
    if (!hasLayers) {
      return {std::move(logits), takeOutput(std::move(elements[1]), device_, {rows, sourceLength, kAny}),
              takeOutput(std::move(elements[2]), device_, {rows, length, kAny})};
    }
    LayerOutputs layers;
    layers.encoderHiddenStates = takeOutputs(std::move(elements[1]), device_, {rows, sourceLength, kAny});
    layers.decoderHiddenStates = takeOutputs(std::move(elements[2]), device_, {rows, length, kAny});
    if (selection.layers.attentions) {
      layers.encoderAttentions = takeOutputs(std::move(elements[3]), device_, {rows, kAny, sourceLength, sourceLength});
      layers.decoderAttentions = takeOutputs(std::move(elements[4]), device_, {rows, kAny, length, length});
      layers.crossAttentions = takeOutputs(std::move(elements[5]), device_, {rows, kAny, length, sourceLength});
    }
    at::Tensor encoderState = layers.encoderHiddenStates.back();
    at::Tensor decoderState = layers.decoderHiddenStates.back();
    return {std::move(logits), std::move(encoderState), std::move(decoderState), std::move(layers)};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    return takeOutput(compiled(Method::kEncode).run({inputIds, attentionMask}), device_,
                      {inputIds.size(0), inputIds.size(1), kAny});
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& selection) override {
    expectDecoder(kind_ == ModelKind::kGeneration);
    const at::Tensor attentionMask = gatherRows(source.encoderOutput->attentionMask, source.rows);
    const at::Tensor hiddenState = gatherRows(source.encoderOutput->lastHiddenState, source.rows);
    const TracedMethod& prefill = compiled(Method::kPrefill, selection.layers);
    return toDecoderOutput(prefill.run({decoderInputIds, hiddenState, attentionMask}), decoderInputIds, attentionMask,
                           selection);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& selection) override {
    const auto& torchscriptCache = dynamic_cast<const TorchScriptCache&>(*cache);
    const at::Tensor& attentionMask = torchscriptCache.attentionMask();
    const TracedMethod& step = compiled(Method::kStep, selection.layers);
    return toDecoderOutput(step.run({decoderInputIds, attentionMask, torchscriptCache.past()}), decoderInputIds,
                           attentionMask, selection);
  }

  at::Tensor classify(const at::Tensor& inputIds, const at::Tensor& attentionMask, const Sentence&) override {
    expectClassifier(methodsOf(kind_).front() == Method::kClassify);
    // The traced module of Hugging Face reads the sentence's position itself.
    return compiled(Method::kClassify).run({inputIds, attentionMask}).toTensor();
  }

 private:
  DecoderOutput toDecoderOutput(c10::IValue tuple, const at::Tensor& decoderInputIds, const at::Tensor& attentionMask,
                                const LogitsSelection& selection) const {
    std::vector<c10::IValue> elements = takeElements(std::move(tuple), selection.layers.attentions ? 5 : 3);
    const std::int64_t rows = decoderInputIds.size(0);
    const std::int64_t length = decoderInputIds.size(1);
    at::Tensor logits = selectLogits(takeLogits(std::move(elements[0]), rows, length), selection);
    if (selection.layers.isEmpty()) {
      return {std::move(logits), takeOutput(std::move(elements[1]), device_, {rows, length, kAny}),
              makeCache(elements[2], attentionMask)};
    }
    LayerOutputs layers;
    layers.decoderHiddenStates = takeOutputs(std::move(elements[2]), device_, {rows, length, kAny});
    if (selection.layers.attentions) {
      layers.decoderAttentions = takeOutputs(std::move(elements[3]), device_, {rows, kAny, length, kAny});
      layers.crossAttentions =
          takeOutputs(std::move(elements[4]), device_, {rows, kAny, length, attentionMask.size(1)});
    }
    at::Tensor decoderState = layers.decoderHiddenStates.back();
    return {std::move(logits), std::move(decoderState), makeCache(elements[1], attentionMask), std::move(layers)};
  }

  at::Tensor takeLogits(c10::IValue value, std::int64_t rows, std::int64_t length) const {
    return takeOutput(std::move(value), device_, {rows, length, vocabSize_.value_or(kAny)});
  }

  static std::shared_ptr<const DecoderCache> makeCache(const c10::IValue& past, const at::Tensor& attentionMask) {
    return std::make_shared<const TorchScriptCache>(past.toTensorVector(), attentionMask);
  }

  /// Replaces the module's tensors by those on the device.
  void moveWeights() {
    for (const torch::jit::Module& part : module_.modules()) {
      const auto object = part._ivalue();
      for (std::size_t slot = 0; slot < object->slots().size(); ++slot) {
        const c10::IValue& value = object->getSlot(slot);
        if (value.isTensor()) object->setSlot(slot, tensors_.place(value.toTensor()));
      }
    }
  }

  /// The method that returns the selected outputs.
  const TracedMethod& compiled(Method method, const LayerSelection& layers) {
    if (layers.isEmpty()) return compiled(method);
    return (layers.attentions ? attentions_ : hiddenStates_).compiled(method, module_, tensors_);
  }

  /// Compiles the method at its first use.
  const TracedMethod& compiled(Method method) {
    const auto index = static_cast<std::size_t>(method);
    std::optional<TracedMethod>& slot = methods_.at(index);
    if (!slot) slot.emplace(module_, kMethodNames.at(index), module_, tensors_);
    return *slot;
  }

  at::Device device_;
  ModelKind kind_;
  std::optional<std::int64_t> vocabSize_;
  torch::jit::Module module_;
  DeviceTensors tensors_;
  LayerMethods hiddenStates_;
  LayerMethods attentions_;
  std::array<std::optional<TracedMethod>, kMethodNames.size()> methods_;
};

}  // namespace

std::shared_ptr<const DecoderCache> TorchScriptCache::select(const at::Tensor& rows) const {
  std::vector<at::Tensor> past;
  past.reserve(past_.size());
  for (const at::Tensor& tensor : past_) past.push_back(at::index_select(tensor, 0, rows));
  return std::make_shared<const TorchScriptCache>(std::move(past), at::index_select(attentionMask_, 0, rows));
}

std::unique_ptr<Engine> loadTorchScriptEngine(const std::string& path, ModelKind kind, const at::Device& device,
                                              LayerArchives layers) {
  return std::make_unique<TorchScriptEngine>(readArchive(path, kind), kind, device, std::move(layers));
}

}  // namespace torch_t5
