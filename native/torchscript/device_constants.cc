#include "torchscript/device_constants.h"

#include <ATen/ATen.h>

namespace torch_t5 {
namespace {

using torch::jit::AttributeKind;
using torch::jit::Node;
namespace attr = torch::jit::attr;
namespace prim = torch::jit::prim;

bool remapConstant(Node& node, const c10::Device& device) {
  if (!node.hasAttribute(attr::value)) return false;  // None
  if (node.output()->type()->kind() == c10::TypeKind::DeviceObjType) {
    const std::string wanted = device.str();
    if (node.s(attr::value) == wanted) return false;
    node.s_(attr::value, wanted);
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

}  // namespace

int remapDeviceConstants(torch::jit::Graph& graph, const c10::Device& device) {
  return remapBlock(*graph.block(), device);
}

}  // namespace torch_t5
