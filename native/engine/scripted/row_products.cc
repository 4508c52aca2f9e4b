#include "engine/scripted/row_products.h"

#include <ATen/Parallel.h>
#include <ATen/core/stack.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <cstring>
#include <memory>

namespace torch_t5 {
namespace {

constexpr const char* kOperator = "torch_t5::linear";
/// Below this a thread takes longer to start than to multiply.
constexpr std::int64_t kLeastElements = 1 << 16;
/// Threads take whole blocks of rows: kernels work on a few rows at a time, and none of those groups may be split.
constexpr std::int64_t kRowsPerBlock = 64;

bool isOneLargeRow(const at::Tensor& input, const at::Tensor& weight) {
  return weight.numel() >= kLeastElements && input.numel() == weight.size(1) && input.device().is_cpu() &&
         input.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat && weight.is_contiguous() &&
         input.is_contiguous() && at::get_num_threads() > 1;
}

at::Tensor multiplyOnAllThreads(const at::Tensor& input, const at::Tensor& weight) {
  const std::int64_t rows = weight.size(0);
  const std::int64_t blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
  at::DimVector shape(input.sizes());
  shape.back() = rows;
  at::Tensor result = at::empty(shape, input.options());
  const at::Tensor from = input.view({1, -1});
  at::Tensor to = result.view({1, -1});
  const std::int64_t blocksPerThread = (blocks + at::get_num_threads() - 1) / at::get_num_threads();
  at::parallel_for(0, blocks, blocksPerThread, [&](std::int64_t begin, std::int64_t end) {
    const c10::InferenceMode inferenceMode;  // each thread has its own
    const std::int64_t first = begin * kRowsPerBlock;
    const std::int64_t count = std::min(end * kRowsPerBlock, rows) - first;
    at::Tensor part = to.narrow(1, first, count);
    at::mm_out(part, from, weight.narrow(0, first, count).t());
  });
  return result;
}

/// One `linear` of a graph.
class RowProduct {
 public:
  at::Tensor operator()(const at::Tensor& input, const at::Tensor& weight) {
    if (agreement_ == Agreement::kNone || !isOneLargeRow(input, weight)) return at::linear(input, weight);
    at::Tensor result = multiplyOnAllThreads(input, weight);
    if (agreement_ == Agreement::kProved) return result;
    const at::Tensor expected = at::linear(input, weight);
    const bool sameBits = std::memcmp(result.const_data_ptr(), expected.const_data_ptr(), expected.nbytes()) == 0;
    agreement_ = sameBits ? Agreement::kProved : Agreement::kNone;
    return expected;
  }

 private:
  enum class Agreement { kUnknown, kProved, kNone };

  Agreement agreement_ = Agreement::kUnknown;
};

const torch::jit::RegisterOperators registration({torch::jit::Operator(
    "torch_t5::linear(Tensor input, Tensor weight) -> Tensor",
    [](const torch::jit::Node*) -> torch::jit::Operation {
      return [product = std::make_shared<RowProduct>()](torch::jit::Stack& stack) {
        const at::Tensor weight = torch::jit::pop(stack).toTensor();
        const at::Tensor input = torch::jit::pop(stack).toTensor();
        stack.emplace_back((*product)(input, weight));
      };
    },
    c10::AliasAnalysisKind::FROM_SCHEMA)});

}  // namespace

void parallelizeRowProducts(torch::jit::Graph& graph) {
  const auto linear = c10::Symbol::fromQualString("aten::linear");
  const auto kind = c10::Symbol::fromQualString(kOperator);
  for (auto node = graph.nodes().begin(); node != graph.nodes().end(); ++node) {
    const bool plain = node->kind() == linear && node->inputs().size() == 3 &&
                       node->input(2)->type()->kind() == c10::TypeKind::NoneType;
    if (!plain) continue;
    torch::jit::Node* replacement = graph.create(kind, {node->input(0), node->input(1)});
    replacement->output()->copyMetadata(node->output());
    replacement->copyMetadata(*node);
    replacement->insertBefore(*node);
    node->output()->replaceAllUsesWith(replacement->output());
    node.destroyCurrent();
  }
}

}  // namespace torch_t5
