#include "torchscript/cancellation_points.h"

#include <torch/csrc/jit/runtime/custom_operator.h>

#include <string_view>

#include "core/cancellation.h"

namespace torch_t5 {
namespace {

constexpr const char* kOperator = "torch_t5::check_cancelled";

void checkCancelled(torch::jit::Stack&) { CancellationScope::check(); }

// An operator of the interpreter alone: the dispatcher, which every library in the process shares, doesn't know it.
const torch::jit::RegisterOperators registration(
    {torch::jit::Operator("torch_t5::check_cancelled() -> ()", checkCancelled, c10::AliasAnalysisKind::CONSERVATIVE)});

bool isMatrixProduct(const torch::jit::Node& node) {
  const std::string_view name = node.kind().toQualString();
  return name == "aten::linear" || name == "aten::matmul" || name == "aten::scaled_dot_product_attention";
}

}  // namespace

void insertCancellationPoints(torch::jit::Graph& graph) {
  const auto kind = c10::Symbol::fromQualString(kOperator);
  for (torch::jit::Node* node : graph.nodes()) {
    if (isMatrixProduct(*node)) graph.create(kind, /*num_outputs=*/0)->insertBefore(node);
  }
}

}  // namespace torch_t5
