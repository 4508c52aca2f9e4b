// Compares parallel linear layers with libtorch's own `linear`, bit for bit.
#include "torchscript/parallel_linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <array>
#include <cstring>

#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;

constexpr const char* kLinear = R"(
graph(%input : Tensor, %weight : Tensor):
  %none : NoneType = prim::Constant()
  %result : Tensor = aten::linear(%input, %weight, %none)
  return (%result))";

/// `aten::linear` as the TorchScript engine runs it.
class LinearGraph {
 public:
  LinearGraph() {
    torch::jit::parseIR(kLinear, graph_.get());
    parallelizeLinears(*graph_);
    code_ = torch::jit::Code(graph_, "linear");
  }

  at::Tensor operator()(const at::Tensor& input, const at::Tensor& weight) const {
    torch::jit::Stack stack{input, weight};
    torch::jit::InterpreterState(code_).run(stack);
    return stack.at(0).toTensor();
  }

  bool isReplaced() const {
    for (const torch::jit::Node* node : graph_->nodes()) {
      if (node->kind() == c10::Symbol::fromQualString("aten::linear")) return false;
    }
    return true;
  }

 private:
  std::shared_ptr<torch::jit::Graph> graph_ = std::make_shared<torch::jit::Graph>();
  torch::jit::Code code_;
};

/// A contiguous matrix that starts `bytes` after a 64-byte boundary.
at::Tensor matrixAt(std::int64_t rows, std::int64_t columns, std::int64_t bytes) {
  const std::int64_t skipped = bytes / static_cast<std::int64_t>(sizeof(float));
  return at::randn({skipped + rows * columns}).narrow(0, skipped, rows * columns).view({rows, columns});
}

void expectSameBits(const at::Tensor& received, const at::Tensor& expected, const std::string& where) {
  expect(received.sizes() == expected.sizes() && received.is_contiguous(), "the shape of linear's result " + where);
  expect(std::memcmp(received.const_data_ptr(), expected.const_data_ptr(), expected.nbytes()) == 0,
         "linear's bits " + where);
}

/// Only the first products of a kind are compared, so later ones with other numbers are tested here.
void equalsLinear(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const LinearGraph linear;
  expect(linear.isReplaced(), "no aten::linear left in the graph");
  constexpr int kRepetitions = 20;  // more than are compared of any kind
  constexpr std::array<std::array<std::int64_t, 2>, 5> kSizes{
      {{512, 512}, {2048, 512}, {512, 2048}, {1000, 300}, {16449, 64}}};
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    for (const auto& [rows, columns] : kSizes) {
      for (const std::int64_t misalignment : {0, 4, 16, 40}) {
        const at::Tensor weight = matrixAt(rows, columns, misalignment);
        for (const std::int64_t inputRows : {1, 2, 3, 5, 8, 32, 100, 200}) {
          for (int repetition = 0; repetition < kRepetitions; ++repetition) {
            const at::Tensor input = at::randn({inputRows, 1, columns});
            expectSameBits(linear(input, weight), at::linear(input, weight),
                           "of " + std::to_string(inputRows) + " rows with " + std::to_string(rows) + " x " +
                               std::to_string(columns) + ", " + std::to_string(misalignment) + " bytes off, on " +
                               std::to_string(threads) + " threads, repetition " + std::to_string(repetition));
          }
        }
      }
    }
  }
}

void leavesOtherInputsToLinear(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const LinearGraph linear;
  at::set_num_threads(2);
  const at::Tensor weight = at::randn({512, 512});
  for (const at::Tensor& input : {at::randn({512}), at::randn({2, 3, 512}), at::randn({512, 4}).t(),
                                  at::empty({0, 512}), at::randn({1, 1, 1, 512})}) {
    expectSameBits(linear(input, weight).contiguous(), at::linear(input, weight).contiguous(), "of another input");
    const at::Tensor transposed = weight.t();
    expectSameBits(linear(input, transposed).contiguous(), at::linear(input, transposed).contiguous(),
                   "with a transposed matrix");
  }
  expect(at::equal(linear(at::ones({1, 512}, at::kDouble), weight.to(at::kDouble)),
                   at::linear(at::ones({1, 512}, at::kDouble), weight.to(at::kDouble))),
         "a product of doubles");
}

constexpr std::array<test::Test, 2> kTests{{
    {"are bitwise equal to libtorch's for every kind of product", equalsLinear},
    {"leave other inputs to libtorch", leavesOtherInputsToLinear},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
