#include "torchscript/program.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/lower_tuples.h>

#include "core/cancellation.h"
#include "torchscript/cancellation_points.h"
#include "torchscript/device_constants.h"
#include "torchscript/shared_products.h"

namespace torch_t5 {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace attr = torch::jit::attr;
namespace prim = torch::jit::prim;

/// Replaces `self.encoder.block...weight` by the weight itself, so that a call looks up no attribute.
class WeightBinder {
 public:
  WeightBinder(Graph& graph, DeviceTensors& tensors) : graph_(graph), tensors_(tensors) {}

  void bind(const torch::jit::Module& module) {
    objects_.emplace(graph_.inputs().at(0), module._ivalue());
    bindBlock(*graph_.block());
  }

 private:
  void bindBlock(torch::jit::Block& block) {
    for (Node* node : block.nodes()) {
      if (node->kind() == prim::GetAttr) bindAttribute(*node);
      for (torch::jit::Block* inner : node->blocks()) bindBlock(*inner);
    }
  }

  void bindAttribute(Node& node) {
    const auto owner = objects_.find(node.input());
    if (owner == objects_.end()) return;
    c10::IValue value = owner->second.toObjectRef().getAttr(node.s(attr::name));
    if (value.isObject()) {
      objects_.emplace(node.output(), value);
      return;
    }
    if (value.isTensor()) value = tensors_.place(value.toTensor());
    const torch::jit::WithInsertPoint before(&node);
    if (const auto constant = torch::jit::tryInsertConstant(graph_, value))
      node.output()->replaceAllUsesWith(*constant);
  }

  Graph& graph_;
  DeviceTensors& tensors_;
  std::unordered_map<Value*, c10::IValue> objects_;
};

std::shared_ptr<Graph> prepare(const torch::jit::Module& module, const std::string& method, DeviceTensors& tensors) {
  std::shared_ptr<Graph> graph = module.get_method(method).graph()->copy();
  torch::jit::Inline(*graph);
  torch::jit::LowerSimpleTuples(graph);
  remapDeviceConstants(*graph, tensors.device());
  WeightBinder(*graph, tensors).bind(module);
  torch::jit::EliminateDeadCode(graph);
  insertCancellationPoints(*graph);
  if (tensors.device().is_cpu()) shareProductsAmongThreads(*graph);
  return graph;
}

}  // namespace

at::Tensor DeviceTensors::place(const at::Tensor& tensor) {
  if (tensor.device() == device_) return tensor.detach();
  auto& sameAddress = placed_[tensor.data_ptr()];
  for (const auto& [from, to] : sameAddress) {
    if (from.sizes() == tensor.sizes() && from.strides() == tensor.strides()) return to;
  }
  return sameAddress.emplace_back(tensor, tensor.detach().to(device_)).second;
}

Program::Program(const torch::jit::Module& module, const std::string& method, DeviceTensors& tensors)
    : functions_(module._ivalue()->compilation_unit()), graph_(prepare(module, method, tensors)) {
  // Nothing of the module itself is left in the graph, unless it holds what a trace can't: then the interpreter needs
  // it.
  if (!graph_->inputs().at(0)->hasUses()) graph_->eraseInput(0);
  code_ = torch::jit::Code(graph_, method);
}

c10::IValue Program::run(std::vector<c10::IValue> arguments) const {
  torch::jit::Stack stack = std::move(arguments);
  try {
    torch::jit::InterpreterState(code_).run(stack);
  } catch (const std::exception&) {
    // The interpreter turns what its operators throw into an error of its own.
    CancellationScope::check();
    throw;
  }
  return std::move(stack.at(0));
}

}  // namespace torch_t5
