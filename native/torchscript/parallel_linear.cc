#include "torchscript/parallel_linear.h"

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
/// With smaller weights a thread takes longer to start than to multiply.
constexpr std::int64_t kMinElements = 1 << 16;
/// With more input rows MKL's own threads are as fast, unless the weight has as many rows as a vocabulary has tokens.
constexpr std::int64_t kMaxInputRows = 128;
constexpr std::int64_t kVocabularyRows = 1 << 14;
/// Threads compute whole blocks of the weight's rows, because kernels compute groups of a few rows that must not be
/// split.
constexpr std::int64_t kRowsPerBlock = 64;
constexpr std::uintptr_t kAlignmentBytes = 64;

/// Calls `work(begin, end)` on libtorch's threads, with ranges that together cover 0 to `count`. Not
/// `at::parallel_for`: it is a template, and compiled here, without libtorch's OpenMP flags, it would be a plain loop.
/// An iterator's `for_each` is compiled in libtorch.
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
    const c10::InferenceMode inferenceMode;  // a setting per thread
    const std::int64_t first = begin * kRowsPerBlock;
    const std::int64_t count = std::min(end * kRowsPerBlock, rows) - first;
    at::Tensor part = to.narrow(1, first, count);
    at::mm_out(part, from, weight.narrow(0, first, count).t());
  });
  return result;
}

using Clock = std::chrono::steady_clock;

/// The result of `compute`, and how long it took.
template <class Compute>
std::pair<at::Tensor, Clock::duration> timed(Compute&& compute) {
  const Clock::time_point start = Clock::now();
  at::Tensor result = compute();
  return {std::move(result), Clock::now() - start};
}

/// Exponential backoff. While other programs occupy the cores, each product waits for a thread that does not run, and
/// takes a hundred times as long. After such a product the next ones run without threads, twice as many each time.
class Backoff {
 public:
  /// Whether the next product may use threads.
  bool isOver() {
    if (remaining_ == 0) return true;
    --remaining_;
    return false;
  }

  void observe(Clock::duration onAllThreads, Clock::duration byMkl) {
    if (onAllThreads <= kTooSlow * byMkl) {
      pause_ = kMinPause;
      return;
    }
    remaining_ = pause_;
    pause_ = std::min(2 * pause_, kMaxPause);
  }

 private:
  static constexpr int kTooSlow = 3;
  static constexpr std::int64_t kMinPause = 16;  // in products; a decoding step has about a hundred
  static constexpr std::int64_t kMaxPause = 8192;

  std::int64_t remaining_ = 0;
  std::int64_t pause_ = kMinPause;
};

/// `aten::linear`, for all nodes of a graph.
class ParallelLinear {
 public:
  at::Tensor operator()(const at::Tensor& input, const at::Tensor& weight) {
    if (!isWorthThreads(input, weight)) return at::linear(input, weight);
    const Kind kind = kindOf(input, weight);
    Verification& verification = verifications_.try_emplace(kind, Verification{comparisonsFor(kind)}).first->second;
    if (!verification.isSame) return at::linear(input, weight);
    if (verification.comparisonsLeft > 0) return compare(input, weight, verification);
    if (!backoff_.isOver()) return at::linear(input, weight);
    auto [result, duration] = timed([&] { return multiplyOnAllThreads(input, weight); });
    backoff_.observe(duration, verification.byMkl);
    return std::move(result);
  }

 private:
  /// The properties by which MKL chooses a kernel.
  struct Kind {
    std::int64_t inputRows;
    std::int64_t weightRows;
    std::int64_t weightColumns;
    std::uintptr_t misalignment;
    int threads;

    auto operator<=>(const Kind&) const = default;
  };

  struct Verification {
    int comparisonsLeft;  // products still to compare before the kind is trusted
    bool isSame = true;   // so far, bit for bit
    Clock::duration byMkl{};
  };

  /// If the weight's rows do not divide evenly among MKL's threads, another kernel computes each thread's last rows.
  /// Then only those few numbers can differ, and in one product they may be equal by chance, so more products are
  /// compared.
  static int comparisonsFor(const Kind& kind) {
    constexpr std::int64_t kRowsPerKernel = 32;
    constexpr int kComparisonsOfFewNumbers = 16;
    return kind.weightRows % (kind.threads * kRowsPerKernel) == 0 ? 1 : kComparisonsOfFewNumbers;
  }

  static bool isWorthThreads(const at::Tensor& input, const at::Tensor& weight) {
    const bool isPlain = input.device().is_cpu() && input.scalar_type() == at::kFloat && input.is_contiguous() &&
                         weight.scalar_type() == at::kFloat && weight.is_contiguous() && input.numel() > 0;
    return isPlain && weight.numel() >= kMinElements && at::get_num_threads() > 1 &&
           (input.numel() / weight.size(1) <= kMaxInputRows || weight.size(0) >= kVocabularyRows);
  }

  static Kind kindOf(const at::Tensor& input, const at::Tensor& weight) {
    return {input.numel() / weight.size(1), weight.size(0), weight.size(1),
            reinterpret_cast<std::uintptr_t>(weight.const_data_ptr()) % kAlignmentBytes, at::get_num_threads()};
  }

  /// Computes the product both ways. Returns MKL's.
  static at::Tensor compare(const at::Tensor& input, const at::Tensor& weight, Verification& verification) {
    const at::Tensor result = multiplyOnAllThreads(input, weight);
    auto [expected, duration] = timed([&] { return at::linear(input, weight); });
    verification.isSame = std::memcmp(result.const_data_ptr(), expected.const_data_ptr(), expected.nbytes()) == 0;
    verification.byMkl = duration;
    --verification.comparisonsLeft;
    return std::move(expected);
  }

  std::map<Kind, Verification> verifications_;
  Backoff backoff_;
};

const torch::jit::RegisterOperators registration({torch::jit::Operator(
    "torch_t5::linear(Tensor input, Tensor weight) -> Tensor",
    [](const torch::jit::Node*) -> torch::jit::Operation {
      // The interpreter makes one operation for all nodes of a graph.
      return [linear = std::make_shared<ParallelLinear>()](torch::jit::Stack& stack) {
        const at::Tensor weight = torch::jit::pop(stack).toTensor();
        const at::Tensor input = torch::jit::pop(stack).toTensor();
        stack.emplace_back((*linear)(input, weight));
      };
    },
    c10::AliasAnalysisKind::FROM_SCHEMA)});

}  // namespace

void parallelizeLinears(torch::jit::Graph& graph) {
  const auto linear = c10::Symbol::fromQualString("aten::linear");
  const auto kind = c10::Symbol::fromQualString(kOperator);
  for (auto node = graph.nodes().begin(); node != graph.nodes().end(); ++node) {
    const bool hasNoBias = node->kind() == linear && node->inputs().size() == 3 &&
                           node->input(2)->type()->kind() == c10::TypeKind::NoneType;
    if (!hasNoBias) continue;
    torch::jit::Node* replacement = graph.create(kind, {node->input(0), node->input(1)});
    replacement->output()->copyMetadata(node->output());
    replacement->copyMetadata(*node);
    replacement->insertBefore(*node);
    node->output()->replaceAllUsesWith(replacement->output());
    node.destroyCurrent();
  }
}

}  // namespace torch_t5
