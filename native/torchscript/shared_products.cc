#include "torchscript/shared_products.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/core/stack.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>

namespace torch_t5 {
namespace {

constexpr const char* kOperator = "torch_t5::linear";
/// Below this a thread takes longer to start than to multiply.
constexpr std::int64_t kLeastElements = 1 << 16;
/// For more rows of input than this MKL's own threads are as fast, unless the matrix is as high as a vocabulary.
constexpr std::int64_t kMostRows = 128;
constexpr std::int64_t kVocabularyRows = 1 << 14;
/// Threads take whole blocks of the matrix's rows: kernels work on a few rows at a time, and none of those groups may
/// be split.
constexpr std::int64_t kRowsPerBlock = 64;
constexpr std::uintptr_t kAlignmentBytes = 64;

/// Calls `work(begin, end)` for ranges that make up 0 to `count`, on libtorch's own threads. `at::parallel_for` is a
/// template: compiled here without the flags of libtorch's OpenMP it would be a plain loop. An iterator's `for_each` is
/// compiled in libtorch.
template <class Work>
void onAllThreads(std::int64_t count, Work&& work) {
  at::Tensor indices = at::arange(count, at::kLong);
  const std::int64_t threads = at::get_num_threads();
  at::TensorIterator::nullary_op(indices).for_each(
      [&](char** data, const std::int64_t*, std::int64_t size) {
        const std::int64_t begin = *reinterpret_cast<const std::int64_t*>(data[0]);
        work(begin, begin + size);
      },
      /*grain_size=*/(count + threads - 1) / threads);
}

at::Tensor multiplyOnAllThreads(const at::Tensor& input, const at::Tensor& weight) {
  const std::int64_t rows = weight.size(0);
  at::DimVector shape(input.sizes());
  shape.back() = rows;
  at::Tensor result = at::empty(shape, input.options());
  const at::Tensor from = input.view({-1, weight.size(1)});
  const at::Tensor to = result.view({-1, rows});
  onAllThreads((rows + kRowsPerBlock - 1) / kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
    const c10::InferenceMode inferenceMode;  // each thread has its own
    const std::int64_t first = begin * kRowsPerBlock;
    const std::int64_t count = std::min(end * kRowsPerBlock, rows) - first;
    at::Tensor part = to.narrow(1, first, count);
    at::mm_out(part, from, weight.narrow(0, first, count).t());
  });
  return result;
}

using Clock = std::chrono::steady_clock;

/// Runs `compute` and says how long it took.
template <class Compute>
std::pair<at::Tensor, Clock::duration> timed(Compute&& compute) {
  const Clock::time_point start = Clock::now();
  at::Tensor result = compute();
  return {std::move(result), Clock::now() - start};
}

/// Whether threads help at the moment. Where other programs hold the cores, each product waits for a thread that isn't
/// running, and takes a hundred times as long: then threads are left alone for a while, twice as long each time.
class Contention {
 public:
  bool isOver() {
    if (remaining_ == 0) return true;
    --remaining_;
    return false;
  }

  void observe(Clock::duration onAllThreads, Clock::duration alone) {
    if (onAllThreads <= kTooSlow * alone) {
      pause_ = kShortestPause;
      return;
    }
    remaining_ = pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
  }

 private:
  static constexpr int kTooSlow = 3;
  static constexpr std::int64_t kShortestPause = 16;  // in products; a step has a hundred
  static constexpr std::int64_t kLongestPause = 8192;

  std::int64_t remaining_ = 0;
  std::int64_t pause_ = kShortestPause;
};

/// The products of a graph.
class Products {
 public:
  at::Tensor multiply(const at::Tensor& input, const at::Tensor& weight) {
    if (!isWorthThreads(input, weight)) return at::linear(input, weight);
    const Kind kind = kindOf(input, weight);
    Known& known = known_.try_emplace(kind, Known{proofsFor(kind)}).first->second;
    if (!known.sameBits) return at::linear(input, weight);
    if (known.proofsLeft > 0) return prove(input, weight, known);
    if (!contention_.isOver()) return at::linear(input, weight);
    auto [result, duration] = timed([&] { return multiplyOnAllThreads(input, weight); });
    contention_.observe(duration, known.alone);
    return std::move(result);
  }

 private:
  /// What MKL chooses its kernel by.
  struct Kind {
    std::int64_t inputRows;
    std::int64_t rows;
    std::int64_t columns;
    std::uintptr_t misalignment;
    int threads;

    auto operator<=>(const Kind&) const = default;
  };

  struct Known {
    int proofsLeft;  // products that must still have the same bits before others are believed to have them
    bool sameBits = true;
    Clock::duration alone{};
  };

  /// Where MKL's threads share a matrix's rows unevenly, the last rows of each go through another kernel. Only those
  /// few numbers can differ then, and in one product they may be the same by chance: so it is proved again and again.
  static int proofsFor(const Kind& kind) {
    constexpr std::int64_t kRowsOfKernel = 32;
    constexpr int kProofsOfFewNumbers = 16;
    return kind.rows % (kind.threads * kRowsOfKernel) == 0 ? 1 : kProofsOfFewNumbers;
  }

  static bool isWorthThreads(const at::Tensor& input, const at::Tensor& weight) {
    const bool isPlain = input.device().is_cpu() && input.scalar_type() == at::kFloat && input.is_contiguous() &&
                         weight.scalar_type() == at::kFloat && weight.is_contiguous() && input.numel() > 0;
    return isPlain && weight.numel() >= kLeastElements && at::get_num_threads() > 1 &&
           (input.numel() / weight.size(1) <= kMostRows || weight.size(0) >= kVocabularyRows);
  }

  static Kind kindOf(const at::Tensor& input, const at::Tensor& weight) {
    return {input.numel() / weight.size(1), weight.size(0), weight.size(1),
            reinterpret_cast<std::uintptr_t>(weight.const_data_ptr()) % kAlignmentBytes, at::get_num_threads()};
  }

  static at::Tensor prove(const at::Tensor& input, const at::Tensor& weight, Known& known) {
    const at::Tensor result = multiplyOnAllThreads(input, weight);
    auto [expected, alone] = timed([&] { return at::linear(input, weight); });
    known.sameBits = std::memcmp(result.const_data_ptr(), expected.const_data_ptr(), expected.nbytes()) == 0;
    known.alone = alone;
    --known.proofsLeft;
    return std::move(expected);
  }

  std::map<Kind, Known> known_;
  Contention contention_;
};

const torch::jit::RegisterOperators registration({torch::jit::Operator(
    "torch_t5::linear(Tensor input, Tensor weight) -> Tensor",
    [](const torch::jit::Node*) -> torch::jit::Operation {
      // The interpreter makes one of these for all nodes of a graph.
      return [products = std::make_shared<Products>()](torch::jit::Stack& stack) {
        const at::Tensor weight = torch::jit::pop(stack).toTensor();
        const at::Tensor input = torch::jit::pop(stack).toTensor();
        stack.emplace_back(products->multiply(input, weight));
      };
    },
    c10::AliasAnalysisKind::FROM_SCHEMA)});

}  // namespace

void shareProductsAmongThreads(torch::jit::Graph& graph) {
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
