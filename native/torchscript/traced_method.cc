#include "torchscript/traced_method.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/lower_tuples.h>

#include "core/cancellation.h"
#include "core/errors.h"
#include "torchscript/graph_passes.h"
#include "torchscript/parallel_linear.h"

namespace torch_t5 {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace attr = torch::jit::attr;
namespace prim = torch::jit::prim;

/// Replaces attribute lookups such as `self.encoder.block...weight` by the weights themselves.
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
    const std::string& name = node.s(attr::name);
    const c10::ivalue::Object& object = owner->second.toObjectRef();
    if (!object.type()->hasAttribute(name)) throw missing(name);
    c10::IValue value = object.getAttr(name);
    if (value.isObject()) {
      objects_.emplace(node.output(), value);
      return;
    }
    if (!value.type()->isSubtypeOf(*node.output()->type())) throw missing(name);
    if (value.isTensor()) value = tensors_.place(value.toTensor());
    const torch::jit::WithInsertPoint before(&node);
    if (const auto constant = torch::jit::tryInsertConstant(graph_, value))
      node.output()->replaceAllUsesWith(*constant);
  }

  static Error missing(const std::string& name) {
    return {ErrorCode::kModelCorrupt, "Expected weights for the attribute " + name + " of a method but received none"};
  }

  Graph& graph_;
  DeviceTensors& tensors_;
  std::unordered_map<Value*, c10::IValue> objects_;
};

/// Inlines the functions that a method calls. libtorch optimizes a function when it is first inlined, and keeps what it
/// has optimized even if memory runs out in the middle of that. Then all of it is dropped, so that the next attempt
/// starts from the functions as they were read.
void inlineCalls(Graph& graph, torch::jit::CompilationUnit& functions) {
  try {
    torch::jit::Inline(graph);
  } catch (...) {
    for (torch::jit::Function* function : functions.get_functions()) {
      if (auto* const optimized = torch::jit::tryToGraphFunction(*function)) optimized->clear_optimized_graphs();
    }
    throw;
  }
}

std::shared_ptr<Graph> prepareGraph(const torch::jit::Module& code, const std::string& method,
                                    const torch::jit::Module& weights, DeviceTensors& tensors) {
  std::shared_ptr<Graph> graph = code.get_method(method).graph()->copy();
  inlineCalls(*graph, *code._ivalue()->compilation_unit());
  torch::jit::LowerSimpleTuples(graph);
  remapDeviceConstants(*graph, tensors.device());
  WeightBinder(*graph, tensors).bind(weights);
  torch::jit::EliminateDeadCode(graph);
  insertCancellationChecks(*graph);
  if (tensors.device().is_cpu()) parallelizeLinears(*graph);
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

TracedMethod::TracedMethod(const torch::jit::Module& code, const std::string& name, const torch::jit::Module& weights,
                           DeviceTensors& tensors)
    : functions_(code._ivalue()->compilation_unit()), graph_(prepareGraph(code, name, weights, tensors)) {
  // Every use of `self` that a trace contains was replaced, so the method no longer takes it.
  if (graph_->inputs().at(0)->hasUses()) {
    throw Error(ErrorCode::kModelCorrupt,
                "Expected a method " + name + " that reads only weights but received one that reads another attribute");
  }
  graph_->eraseInput(0);
  code_ = torch::jit::Code(graph_, name);
}

c10::IValue TracedMethod::run(std::vector<c10::IValue> arguments) const {
  torch::jit::Stack stack = std::move(arguments);
  try {
    torch::jit::InterpreterState(code_).run(stack);
  } catch (const std::exception&) {
    // The interpreter converts its operators' exceptions into its own, so ERR_ABORTED must be thrown again.
    CancellationScope::check();
    throw;
  }
  return std::move(stack.at(0));
}

}  // namespace torch_t5
