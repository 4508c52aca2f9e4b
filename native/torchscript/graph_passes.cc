#include "torchscript/graph_passes.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/cancellation.h"

namespace torch_t5 {
namespace {

using torch::jit::AttributeKind;
using torch::jit::Node;
namespace attr = torch::jit::attr;
namespace prim = torch::jit::prim;

constexpr const char* kCheckOperator = "torch_t5::check_cancelled";

void checkCancelled(torch::jit::Stack&) { CancellationScope::check(); }

// Registered with the interpreter alone, not with the dispatcher, which all libraries of the process share.
const torch::jit::RegisterOperators registration(
    {torch::jit::Operator("torch_t5::check_cancelled() -> ()", checkCancelled, c10::AliasAnalysisKind::CONSERVATIVE)});

bool remapConstant(Node& node, const c10::Device& device) {
  if (!node.hasAttribute(attr::value)) return false;  // None
  if (node.output()->type()->kind() == c10::TypeKind::DeviceObjType) {
    const std::string name = device.str();
    if (node.s(attr::value) == name) return false;
    node.s_(attr::value, name);
    return true;
  }
  if (node.kindOf(attr::value) == AttributeKind::t) {
    const at::Tensor constant = node.t(attr::value);
    if (constant.device() == device) return false;
    node.t_(attr::value, constant.to(device));
    return true;
  }
  return false;
}

int remapBlock(torch::jit::Block& block, const c10::Device& device) {
  int changed = 0;
  for (Node* node : block.nodes()) {
    if (node->kind() == prim::Constant && remapConstant(*node, device)) ++changed;
    for (torch::jit::Block* inner : node->blocks()) changed += remapBlock(*inner, device);
  }
  return changed;
}

/// Matrix products, and what attention does with each pair of positions: alone, one of them takes seconds for an input
/// of ten thousand ids.
constexpr std::array<std::string_view, 17> kLongOperators{
    "aten::linear",    "aten::matmul",      "aten::scaled_dot_product_attention",
    "aten::add",       "aten::add_",        "aten::sub",
    "aten::mul",       "aten::softmax",     "aten::log",
    "aten::where",     "aten::to",          "aten::type_as",
    "aten::full_like", "aten::minimum",     "aten::abs",
    "aten::embedding", "aten::masked_fill",
};

bool takesLong(const Node& node) {
  const std::string_view name = node.kind().toQualString();
  return std::find(kLongOperators.begin(), kLongOperators.end(), name) != kLongOperators.end();
}

}  // namespace

int remapDeviceConstants(torch::jit::Graph& graph, const c10::Device& device) {
  return remapBlock(*graph.block(), device);
}

void insertCancellationChecks(torch::jit::Graph& graph) {
  const auto kind = c10::Symbol::fromQualString(kCheckOperator);
  for (Node* node : graph.nodes()) {
    if (takesLong(*node)) graph.create(kind, /*num_outputs=*/0)->insertBefore(node);
  }
}

}  // namespace torch_t5
