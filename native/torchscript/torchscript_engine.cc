#include "torchscript/torchscript_engine.h"

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <span>

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

/// Code that the exporter didn't write can return anything; whoever reads the result relies on its shape.
at::Tensor takeOutput(c10::IValue value, const at::Device& device, std::int64_t rows, std::int64_t length,
                      std::optional<std::int64_t> size) {
  at::Tensor output = value.isTensor() ? std::move(value).toTensor() : at::Tensor();
  if (output.defined() && output.scalar_type() == at::kFloat && output.layout() == at::kStrided &&
      output.device() == device && output.dim() == 3 && output.size(0) == rows && output.size(1) == length &&
      output.size(2) == size.value_or(output.size(2))) {
    return output;
  }
  const std::string received =
      output.defined() ? output.toString() + " " + c10::str(output.sizes()) + " on " + output.device().str() : "none";
  throw Error(ErrorCode::kModelCorrupt, "Expected float32 [" + std::to_string(rows) + ", " + std::to_string(length) +
                                            ", " + (size ? std::to_string(*size) : "any") + "] on " + device.str() +
                                            " from a method of model.pt but received " + received);
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

enum class Method { kForward, kEncode, kPrefill, kStep, kClassify };
constexpr std::array<const char*, 5> kMethodNames{"forward", "encode", "prefill", "step", "classify"};
constexpr std::array kEncoderMethods{Method::kEncode};
constexpr std::array kClassifierMethods{Method::kClassify};
// The first one is compiled when the model is loaded, the others at their first use: all of them would double the time.
constexpr std::array kGenerationMethods{Method::kForward, Method::kEncode, Method::kPrefill, Method::kStep};

std::span<const Method> methodsOf(ModelKind kind) {
  switch (kind) {
    case ModelKind::kEncoder:
      return kEncoderMethods;
    case ModelKind::kSequenceClassification:
    case ModelKind::kTokenClassification:
      return kClassifierMethods;
    case ModelKind::kGeneration:
      break;
  }
  return kGenerationMethods;
}

class TorchScriptEngine final : public Engine {
 public:
  TorchScriptEngine(torch::jit::Module module, ModelKind kind, const at::Device& device)
      : device_(device), kind_(kind), vocabSize_(findVocabSize(module)), module_(std::move(module)), tensors_(device) {
    const std::span<const Method> methods = methodsOf(kind);
    if (device_.is_cpu()) {
      compiled(methods.front());
      return;
    }
    for (const Method method : methods) compiled(method);
    // The weights are on the device, so the originals in the host's memory are freed.
    module_.reset();
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
    std::vector<c10::IValue> elements =
        takeElements(compiled(Method::kForward).run({inputIds, attentionMask, decoderInputIds}), 3);
    const std::int64_t rows = inputIds.size(0);
    const std::int64_t length = decoderInputIds.size(1);
    return {selectLogits(takeOutput(std::move(elements[0]), device_, rows, length, vocabSize_), selection),
            takeOutput(std::move(elements[1]), device_, rows, inputIds.size(1), std::nullopt),
            takeOutput(std::move(elements[2]), device_, rows, length, std::nullopt)};
  }

  at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) override {
    return takeOutput(compiled(Method::kEncode).run({inputIds, attentionMask}), device_, inputIds.size(0),
                      inputIds.size(1), std::nullopt);
  }

  DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                        const LogitsSelection& selection) override {
    expectDecoder(kind_ == ModelKind::kGeneration);
    const at::Tensor attentionMask = gatherRows(source.encoderOutput->attentionMask, source.rows);
    const at::Tensor hiddenState = gatherRows(source.encoderOutput->lastHiddenState, source.rows);
    return toDecoderOutput(compiled(Method::kPrefill).run({decoderInputIds, hiddenState, attentionMask}),
                           decoderInputIds, attentionMask, selection);
  }

  DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                     const LogitsSelection& selection) override {
    const auto& torchscriptCache = dynamic_cast<const TorchScriptCache&>(*cache);
    const at::Tensor& attentionMask = torchscriptCache.attentionMask();
    return toDecoderOutput(compiled(Method::kStep).run({decoderInputIds, attentionMask, torchscriptCache.past()}),
                           decoderInputIds, attentionMask, selection);
  }

  at::Tensor classify(const at::Tensor& inputIds, const at::Tensor& attentionMask, const Sentence&) override {
    expectClassifier(methodsOf(kind_).front() == Method::kClassify);
    // The traced module of Hugging Face reads the sentence's position itself.
    return compiled(Method::kClassify).run({inputIds, attentionMask}).toTensor();
  }

 private:
  DecoderOutput toDecoderOutput(c10::IValue tuple, const at::Tensor& decoderInputIds, const at::Tensor& attentionMask,
                                const LogitsSelection& selection) const {
    std::vector<c10::IValue> elements = takeElements(std::move(tuple), 3);
    const std::int64_t rows = decoderInputIds.size(0);
    const std::int64_t length = decoderInputIds.size(1);
    return {selectLogits(takeOutput(std::move(elements[0]), device_, rows, length, vocabSize_), selection),
            takeOutput(std::move(elements[1]), device_, rows, length, std::nullopt),
            std::make_shared<const TorchScriptCache>(elements[2].toTensorVector(), attentionMask)};
  }

  /// Compiles the method at its first use.
  const TracedMethod& compiled(Method method) {
    const auto index = static_cast<std::size_t>(method);
    std::optional<TracedMethod>& slot = methods_.at(index);
    if (!slot) slot.emplace(*module_, kMethodNames.at(index), tensors_);
    return *slot;
  }

  at::Device device_;
  ModelKind kind_;
  std::optional<std::int64_t> vocabSize_;
  std::optional<torch::jit::Module> module_;
  DeviceTensors tensors_;
  std::array<std::optional<TracedMethod>, kMethodNames.size()> methods_;
};

}  // namespace

std::shared_ptr<const DecoderCache> TorchScriptCache::select(const at::Tensor& rows) const {
  std::vector<at::Tensor> past;
  past.reserve(past_.size());
  for (const at::Tensor& tensor : past_) past.push_back(at::index_select(tensor, 0, rows));
  return std::make_shared<const TorchScriptCache>(std::move(past), at::index_select(attentionMask_, 0, rows));
}

std::unique_ptr<Engine> loadTorchScriptEngine(const std::string& path, ModelKind kind, const at::Device& device) {
  return std::make_unique<TorchScriptEngine>(readArchive(path, kind), kind, device);
}

}  // namespace torch_t5
