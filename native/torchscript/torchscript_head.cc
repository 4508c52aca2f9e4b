#include "torchscript/torchscript_head.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/cancellation.h"
#include "core/errors.h"
#include "engine/libtorch_errors.h"
#include "torchscript/graph_passes.h"
#include "weights/archive.h"

namespace torch_t5 {
namespace {

struct Input {
  const char* name;
  const char* pythonName;
  at::Tensor HeadInputs::* value;
};

constexpr std::array<Input, 5> kInputs{{
    {"logits", "logits", &HeadInputs::logits},
    {"encoderLastHiddenState", "encoder_last_hidden_state", &HeadInputs::encoderLastHiddenState},
    {"decoderLastHiddenState", "decoder_last_hidden_state", &HeadInputs::decoderLastHiddenState},
    {"attentionMask", "attention_mask", &HeadInputs::attentionMask},
    {"labels", "labels", &HeadInputs::labels},
}};

const Input* findInput(const std::string& name) {
  for (const Input& input : kInputs) {
    if (name == input.name || name == input.pythonName) return &input;
  }
  return nullptr;
}

bool isTensor(const c10::TypePtr& type) { return type->isSubtypeOf(*c10::TensorType::get()); }

bool isOptionalTensor(const c10::TypePtr& type) { return type->isSubtypeOf(*c10::OptionalType::ofTensor()); }

bool isDictOfTensors(const c10::TypePtr& type) {
  const auto dict = type->cast<c10::DictType>();
  return dict && dict->getKeyType()->kind() == c10::TypeKind::StringType && isTensor(dict->getValueType());
}

Error unusable(const std::string& expected, const std::string& received) {
  return {ErrorCode::kModelCorrupt, "Expected " + expected + " for the head but received " + received};
}

const c10::FunctionSchema& checkedSchema(const torch::jit::Module& module) {
  const auto method = module.find_method("forward");
  if (!method) throw unusable("a TorchScript module with the method forward", "one without it");
  const c10::FunctionSchema& schema = method->function().getSchema();
  if (schema.returns().size() != 1 || !isTensor(schema.returns()[0].type())) {
    throw unusable("a forward that returns one tensor", schema.returns().empty()
                                                            ? "one that returns nothing"
                                                            : "one that returns " + schema.returns()[0].type()->str());
  }
  return schema;
}

class TorchScriptHead final : public Head {
 public:
  TorchScriptHead(torch::jit::Module module, const at::Device& device) : module_(std::move(module)) {
    const c10::FunctionSchema& schema = checkedSchema(module_);
    readArguments(schema.arguments());
    module_.eval();
    module_.to(device);
    std::shared_ptr<torch::jit::Graph> graph = module_.get_method("forward").graph()->copy();
    torch::jit::Inline(*graph);
    remapDeviceConstants(*graph, device);
    insertCancellationChecks(*graph);
    code_ = torch::jit::Code(graph, "head");
  }

  const std::vector<std::string>& inputs() const override { return names_; }

  bool readsLogits() const override {
    const auto isLogits = [](const Argument& argument) { return argument.input->value == &HeadInputs::logits; };
    return takesDict_ || std::any_of(arguments_.begin(), arguments_.end(), isLogits);
  }

  at::Tensor run(const HeadInputs& inputs) const override {
    torch::jit::Stack stack{module_._ivalue()};
    if (takesDict_) {
      stack.emplace_back(toDict(inputs));
    } else {
      for (std::size_t index = 0; index < arguments_.size(); ++index) stack.push_back(argument(index, inputs));
    }
    try {
      torch::jit::InterpreterState(code_).run(stack);
      return dense(std::move(stack.at(0)).toTensor());
    } catch (...) {
      CancellationScope::check();
      const Error reason = describeCurrentException();
      if (reason.code() != ErrorCode::kInternal) throw reason;
      throw Error(
          ErrorCode::kInvalidArgument,
          std::string("Expected a head that can take this call's tensors but received its error: ") + reason.what());
    }
  }

 private:
  struct Argument {
    const Input* input;
    bool isOptional;
  };

  void readArguments(const std::vector<c10::Argument>& arguments) {
    if (arguments.size() == 2 && isDictOfTensors(arguments[1].type())) {
      takesDict_ = true;
      names_.push_back(arguments[1].name());
      return;
    }
    for (std::size_t index = 1; index < arguments.size(); ++index) {
      const c10::Argument& argument = arguments[index];
      const Input* input = findInput(argument.name());
      if (input == nullptr) {
        throw unusable(
            "logits, encoder_last_hidden_state, decoder_last_hidden_state, attention_mask, labels or one "
            "Dict[str, Tensor] as arguments of forward",
            argument.name());
      }
      if (!isTensor(argument.type()) && !isOptionalTensor(argument.type())) {
        throw unusable("a Tensor as argument " + argument.name() + " of forward", argument.type()->str());
      }
      arguments_.push_back({input, !isTensor(argument.type())});
      names_.push_back(argument.name());
    }
    if (arguments_.empty()) throw unusable("a forward that takes a tensor", "one without arguments");
  }

  c10::IValue argument(std::size_t index, const HeadInputs& inputs) const {
    const at::Tensor& value = inputs.*arguments_[index].input->value;
    if (value.defined()) return value;
    if (arguments_[index].isOptional) return {};
    throw Error(ErrorCode::kInvalidArgument,
                "Expected target or labels, which the head takes, for the input but received neither");
  }

  static c10::Dict<std::string, at::Tensor> toDict(const HeadInputs& inputs) {
    c10::Dict<std::string, at::Tensor> dict;
    for (const Input& input : kInputs) {
      if (const at::Tensor& value = inputs.*input.value; value.defined()) dict.insert(input.name, value);
    }
    return dict;
  }

  static at::Tensor dense(at::Tensor output) {
    if (output.defined() && output.layout() == at::kStrided && !output.is_complex() && !output.is_meta())
      return output.to(at::kFloat);
    throw Error(ErrorCode::kInvalidArgument, "Expected a dense tensor of real numbers from the head but received " +
                                                 (output.defined() ? output.toString() : std::string("none")));
  }

  torch::jit::Module module_;
  torch::jit::Code code_;
  std::vector<Argument> arguments_;
  std::vector<std::string> names_;
  bool takesDict_ = false;
};

}  // namespace

std::unique_ptr<Head> loadTorchScriptHead(const std::string& path, CodePolicy policy, const at::Device& device) {
  torch::jit::Module module = readTorchScript(path, "the head", policy);
  return std::make_unique<TorchScriptHead>(std::move(module), device);
}

}  // namespace torch_t5
