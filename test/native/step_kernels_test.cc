// Tests the CUDA kernels of a decoder step in the emulator, for every module, against ATen in float64.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "aten/attention.h"
#include "aten/kernels/step_launches.h"
#include "aten/kernels/step_row.h"
#include "cuda_emulator/block.h"
#include "cuda_emulator/device_language.h"
#include "cuda_emulator/emulated_cuda.h"
#include "cuda_emulator/modules.h"
#include "kernels_harness.h"

namespace torch_t5 {
namespace {

using namespace test;
using emulator::Macros;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kRounding = 0x1p-8;  // of bfloat16, relative

/// A compiled module.
struct Case {
  Macros macros;
  std::unique_ptr<DeviceKernels> kernels;

  at::ScalarType type() const { return macros.bfloat16 != 0 ? at::kBFloat16 : at::kFloat; }
  std::int64_t rows() const { return macros.rows > 0 ? macros.rows : 3; }
  std::int64_t inner() const { return std::int64_t{macros.heads} * macros.dKv; }
  bool isForFewRows() const { return macros.rows > 0; }

  std::string where() const {
    return " with ROWS=" + std::to_string(macros.rows) + " D_MODEL=" + std::to_string(macros.dModel) +
           (macros.bfloat16 != 0 ? " in bfloat16" : " in float32");
  }

  at::Tensor elements(at::IntArrayRef sizes, double scale = 1) const { return (at::randn(sizes) * scale).to(type()); }

  template <class... Arguments>
  void run(const char* name, unsigned blocksX, unsigned blocksY, unsigned threads, Arguments... arguments) const {
    const std::array<void*, sizeof...(Arguments)> addresses{&arguments...};
    kernels->launch({name, blocksX, blocksY, threads, true}, addresses);
  }
};

std::vector<std::string> definitionsOf(const Macros& macros) {
  const auto define = [](const char* name, auto value) { return std::string(name) + "=" + std::to_string(value); };
  return {
      define("ROWS", macros.rows),   define("BFLOAT16", macros.bfloat16),     define("D_MODEL", macros.dModel),
      define("D_KV", macros.dKv),    define("HEADS", macros.heads),           define("D_FF", macros.dFf),
      define("GATED", macros.gated), define("ACTIVATION", macros.activation), define("EPSILON", macros.epsilon) + "f"};
}

std::vector<Case> allCases() {
  emulator::EmulatedCuda cuda;
  std::vector<Case> cases;
  for (const emulator::Module& module : emulator::modules())
    cases.push_back({module.macros, cuda.compile({}, definitionsOf(module.macros), at::kCPU)});
  expect(cases.size() >= 20, "modules for every number of rows");
  return cases;
}

std::vector<Case> casesFor(bool fewRows) {
  std::vector<Case> cases;
  for (Case& one : allCases()) {
    if (one.isForFewRows() == fewRows) cases.push_back(std::move(one));
  }
  return cases;
}

/// Memory that a kernel writes, filled with NaN, and some more that it must not touch.
class Output {
 public:
  Output(at::IntArrayRef sizes, at::ScalarType type)
      : memory_(at::full({c10::multiply_integers(sizes) + kGuard}, kNan, type)),
        values_(memory_.slice(0, 0, c10::multiply_integers(sizes)).view(sizes)) {}

  void* pointer() const { return memory_.data_ptr(); }

  const at::Tensor& values(const std::string& where) const {
    expect(memory_.slice(0, values_.numel()).isnan().all().item<bool>(), "nothing after the output" + where);
    return values_;
  }

 private:
  static constexpr std::int64_t kGuard = 64;
  at::Tensor memory_;
  at::Tensor values_;
};

at::Tensor normOf(const Case& one, const at::Tensor& hidden, const at::Tensor& weight) {
  return at::rms_norm(hidden.to(at::kDouble), {one.macros.dModel}, weight.to(at::kDouble), one.macros.epsilon);
}

/// x times weight^T, and how far a sum in float32 may be from it. A number x that is close to the middle of two
/// elements may be rounded to either.
Expected product(const Case& one, const at::Tensor& x, const at::Tensor& weight) {
  const at::Tensor rounded = x.to(one.type()).to(at::kDouble);
  const at::Tensor matrix = weight.to(at::kDouble).t();
  const double ofRounding = one.macros.bfloat16 != 0 ? 2 * kRounding : 0;
  const at::Tensor largest = rounded.abs().amax(-1, /*keepdim=*/true) * matrix.abs().max();
  return {at::mm(rounded, matrix), at::mm(rounded.abs(), matrix.abs()) * 1e-6 + largest * ofRounding + 1e-6};
}

/// The same, rounded to an element.
Expected rounded(const Case& one, const Expected& expected) {
  return {expected.values, expected.tolerance + expected.values.abs() * (one.macros.bfloat16 != 0 ? kRounding : 1e-7)};
}

/// Hidden states. The last row of several is not in use: NaN.
at::Tensor hiddenStates(const Case& one) {
  at::Tensor hidden = at::randn({one.rows(), one.macros.dModel}) * 3;
  if (one.rows() > 1) hidden[one.rows() - 1].fill_(kNan);
  return hidden;
}

std::int64_t usedRows(const Case& one) { return one.rows() > 1 ? one.rows() - 1 : 1; }

at::Tensor usedRowsOf(const Case& one, const at::Tensor& rows) { return rows.slice(0, 0, usedRows(one)); }

void expectRows(const Case& one, const at::Tensor& received, const Expected& expected, const std::string& what) {
  expectWithin(usedRowsOf(one, received), {usedRowsOf(one, expected.values), usedRowsOf(one, expected.tolerance)},
               what + one.where());
}

void embeds(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : allCases()) {
    const at::Tensor embedding = one.elements({50, one.macros.dModel});
    const at::Tensor ids = at::randint(50, {one.rows()}, at::kLong);
    const Output hidden({one.rows(), one.macros.dModel}, at::kFloat);
    one.run("embed", static_cast<unsigned>(one.rows()), 1, kRowThreads, ids.data_ptr(), embedding.data_ptr(),
            hidden.pointer());
    expect(at::equal(hidden.values(one.where()), at::embedding(embedding, ids).to(at::kFloat)),
           "the embeddings" + one.where());
  }
}

void normalizes(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : casesFor(/*fewRows=*/true)) {
    const at::Tensor hidden = hiddenStates(one);
    hidden[0] *= 1e-4;  // epsilon counts
    const at::Tensor norm = at::randn({one.macros.dModel});
    const Output states({one.rows(), one.macros.dModel}, at::kFloat);
    one.run("normalize", static_cast<unsigned>(one.rows()), 1, kLinearThreads, hidden.data_ptr(), norm.data_ptr(),
            states.pointer());
    const at::Tensor expected = normOf(one, hidden, norm);
    expectRows(one, states.values(one.where()), {expected, expected.abs() * 2e-6}, "the norm");
  }
}

void addsAndNormalizes(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : casesFor(/*fewRows=*/false)) {
    const at::Tensor norm = at::randn({one.macros.dModel});
    for (const bool adds : {true, false}) {
      for (const bool isFinal : {true, false}) {
        const at::Tensor before = at::randn({one.rows(), one.macros.dModel}) * 3;
        const at::Tensor delta = one.elements({one.rows(), one.macros.dModel});
        const at::Tensor after = adds ? before + delta.to(at::kFloat) : before;
        const at::Tensor hidden = before.clone();
        const Output output({one.rows(), one.macros.dModel}, isFinal ? at::kFloat : one.type());
        one.run(isFinal ? "addNormalize" : "addNorm", static_cast<unsigned>(one.rows()), 1, kRowThreads,
                hidden.data_ptr(), adds ? delta.data_ptr() : nullptr, norm.data_ptr(), output.pointer());
        expect(at::equal(hidden, after), "the sum" + one.where());
        const at::Tensor expected = normOf(one, after, norm);
        const Expected unrounded{expected, expected.abs() * 2e-6};
        expectWithin(output.values(one.where()), isFinal ? unrounded : rounded(one, unrounded),
                     "the norm of the sum" + one.where());
      }
    }
  }
}

at::Tensor activationOf(const Case& one, const at::Tensor& input) {
  switch (one.macros.activation) {
    case 0:
      return at::relu(input);
    case 1:
      return at::gelu(input, "tanh");
    case 2:
      return at::gelu(input);
    default:
      return at::silu(input);
  }
}

/// The feed-forward layer's activation. The derivative of every activation is below 1.2.
Expected activated(const Case& one, const Expected& projected) {
  constexpr double kSteepest = 1.2;
  if (one.macros.gated == 0)
    return {activationOf(one, projected.values), projected.tolerance * kSteepest + projected.values.abs() * 2e-6};
  const auto gate = projected.values.slice(1, 0, one.macros.dFf);
  const auto up = projected.values.slice(1, one.macros.dFf);
  const auto gateTolerance = projected.tolerance.slice(1, 0, one.macros.dFf) * kSteepest + gate.abs() * 2e-6;
  const auto upTolerance = projected.tolerance.slice(1, one.macros.dFf);
  const at::Tensor active = activationOf(one, gate);
  return {active * up, active.abs() * upTolerance + up.abs() * gateTolerance + gateTolerance * upTolerance};
}

void activates(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : casesFor(/*fewRows=*/false)) {
    const at::Tensor projected = one.elements({one.rows(), one.macros.dFf * (1 + one.macros.gated)}, 2);
    projected[0][0] = -30;
    projected[0][1] = 30;
    for (const unsigned blocksY : {1U, 3U}) {
      const Output output({one.rows(), one.macros.dFf}, one.type());
      one.run("activate", static_cast<unsigned>(one.rows()), blocksY, kRowThreads, projected.data_ptr(),
              output.pointer());
      const at::Tensor exact = projected.to(at::kDouble);
      expectWithin(output.values(one.where()), rounded(one, activated(one, {exact, at::zeros_like(exact)})),
                   "the activation" + one.where());
    }
  }
}

void scalesStates(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : casesFor(/*fewRows=*/false)) {
    const at::Tensor states = at::randn({one.rows(), one.macros.dModel});
    const auto count = static_cast<int>(states.numel());
    for (const int blocks : {1, scaleStatesBlocks(count)}) {
      const Output output(states.sizes(), one.type());
      one.run("scaleStates", static_cast<unsigned>(blocks), 1, kRowThreads, states.data_ptr(), 0.3F, output.pointer(),
              count);
      expect(at::equal(output.values(one.where()), (states * 0.3F).to(one.type())), "scaled states" + one.where());
    }
  }
}

/// The stated number of blocks, fewer and more.
std::vector<unsigned> someBlocks(const Case& one, int stated) {
  if (one.macros.dModel > 1000) return {static_cast<unsigned>(stated)};  // slow to emulate
  return {static_cast<unsigned>(stated), 1, static_cast<unsigned>(stated) / 2 + 1, static_cast<unsigned>(stated) + 2};
}

void multipliesNorms(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : casesFor(/*fewRows=*/true)) {
    const at::Tensor hidden = hiddenStates(one);
    const at::Tensor norm = at::randn({one.macros.dModel});
    for (const int columns : {static_cast<int>(3 * one.inner()), 8, 37}) {
      const at::Tensor weight = one.elements({columns, one.macros.dModel});
      for (const unsigned blocks : someBlocks(one, normLinearBlocks(columns))) {
        const Output output({one.rows(), columns}, one.type());
        one.run("normLinear", blocks, 1, kLinearThreads, hidden.data_ptr(), norm.data_ptr(), weight.data_ptr(),
                output.pointer(), columns);
        expectRows(one, output.values(one.where()), rounded(one, product(one, normOf(one, hidden, norm), weight)),
                   "products of the norm");
      }
    }
  }
}

void feedsForward(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : casesFor(/*fewRows=*/true)) {
    const at::Tensor hidden = hiddenStates(one);
    const at::Tensor norm = at::randn({one.macros.dModel}) * 0.1;
    const at::Tensor weight = one.elements({one.macros.dFf * (1 + one.macros.gated), one.macros.dModel});
    const Expected expected = rounded(one, activated(one, product(one, normOf(one, hidden, norm), weight)));
    for (const unsigned blocks :
         someBlocks(one, normFeedForwardBlocks(one.macros.dFf, one.macros.gated != 0, one.macros.rows))) {
      const Output output({one.rows(), one.macros.dFf}, one.type());
      one.run("normFeedForward", blocks, 1, kLinearThreads, hidden.data_ptr(), norm.data_ptr(), weight.data_ptr(),
              output.pointer());
      expectRows(one, output.values(one.where()), expected, "the feed-forward layer");
    }
  }
}

void addsProducts(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : casesFor(/*fewRows=*/true)) {
    // The last: several chunks of the input.
    for (const int size : {static_cast<int>(one.inner()), one.macros.dFf, 8, 2568}) {
      const at::Tensor input = one.elements({one.rows(), size});
      if (one.rows() > 1) input[one.rows() - 1].fill_(kNan);
      const at::Tensor weight = one.elements({one.macros.dModel, size});
      const Expected added = product(one, input, weight);
      for (const unsigned blocks : someBlocks(one, linearAddBlocks(one.macros.dModel))) {
        const at::Tensor before = at::randn({one.rows(), one.macros.dModel});
        const Output hidden(before.sizes(), at::kFloat);
        hidden.values(one.where()).copy_(before);
        one.run("linearAdd", blocks, 1, kLinearAddThreads, input.data_ptr(), weight.data_ptr(), hidden.pointer(), size);
        // The elements are exact: nothing is rounded but the sums.
        const at::Tensor tolerance =
            at::mm(input.to(at::kDouble).abs(), weight.to(at::kDouble).abs().t()) * 1e-6 + 1e-6;
        expectRows(one, hidden.values(one.where()), {before.to(at::kDouble) + added.values, tolerance},
                   "the sum with products of " + std::to_string(size));
      }
    }
  }
}

void makesLogits(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  constexpr float kScale = 0.0441942F;
  for (const Case& one : casesFor(/*fewRows=*/true)) {
    const at::Tensor states = hiddenStates(one);
    for (const int vocabSize : {1000, 333}) {
      const at::Tensor weight = one.elements({vocabSize, one.macros.dModel});
      for (const unsigned blocks : {static_cast<unsigned>(lmHeadBlocks(vocabSize, one.macros.rows)), 3U}) {
        const Output logits({one.rows(), vocabSize}, at::kFloat);
        one.run("lmHead", blocks, 1, kLinearThreads, states.data_ptr(), weight.data_ptr(), kScale, logits.pointer(),
                vocabSize);
        expectRows(one, logits.values(one.where()), product(one, states * kScale, weight), "logits");
      }
    }
  }
}

using Rank = unsigned long long;

/// Orders logits first by value, with NaN as the maximum, then by index.
Rank rankOf(float logit, int index) {
  const auto bits = std::bit_cast<unsigned>(logit == 0 ? 0.0F : logit);
  const unsigned ordered = logit != logit ? ~0U : bits >> 31 != 0 ? ~bits : bits | 1U << 31;
  return Rank{ordered} << 32 | ~static_cast<unsigned>(index);
}

/// As a greedy step does, which does not store logits: the ids that torch.argmax chooses from the logits of a step that
/// stores them, bit by bit. Many logits are equal.
void comparesLogits(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  constexpr float kScale = 0.0441942F;
  for (const Case& one : casesFor(/*fewRows=*/true)) {
    const at::Tensor hidden = hiddenStates(one);
    const at::Tensor norm = at::randn({one.macros.dModel});
    for (const int vocabSize : {1000, 333, 3}) {
      // Each matrix row is there many times, in the end.
      const at::Tensor weight = one.elements({vocabSize, one.macros.dModel});
      if (vocabSize > 20)
        weight.slice(0, 20).copy_(weight.slice(0, 0, 20).repeat({vocabSize / 20 + 1, 1}).slice(0, 0, vocabSize - 20));
      if (vocabSize == 333) weight[7][3] = kNan;
      const Output states({one.rows(), one.macros.dModel}, at::kFloat);
      one.run("normalize", static_cast<unsigned>(one.rows()), 1, kLinearThreads, hidden.data_ptr(), norm.data_ptr(),
              states.pointer());
      const Output logits({one.rows(), vocabSize}, at::kFloat);
      const auto blocks = static_cast<unsigned>(lmHeadBlocks(vocabSize, one.macros.rows));
      one.run("lmHead", blocks, 1, kLinearThreads, states.pointer(), weight.data_ptr(), kScale, logits.pointer(),
              vocabSize);
      for (const unsigned some : {blocks, 3U, blocks + 2}) {
        const std::string where =
            " by " + std::to_string(some) + " blocks of " + std::to_string(vocabSize) + one.where();
        std::vector<Rank> ranks(static_cast<std::size_t>(one.rows()) * some + 1, 5);
        one.run("normArgmax", some, 1, kLinearThreads, hidden.data_ptr(), norm.data_ptr(), weight.data_ptr(), kScale,
                ranks.data(), vocabSize);
        expect(ranks.back() == 5, "nothing after the output" + where);
        for (std::int64_t row = 0; row < usedRows(one); ++row) {
          const at::Tensor values = logits.values(where)[row];
          const auto first = ranks.begin() + row * some;
          const Rank best = *std::max_element(first, first + some);
          const auto expected = at::argmax(values).item<int>();
          expect(best == rankOf(values[expected].item<float>(), expected),
                 "the rank of the logit " + std::to_string(expected) + where);
        }
      }
    }
  }
}

/// Rows are decoded together as they come, so a result may not depend on the others.
void keepsRowsApart(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  constexpr int kColumns = 40;
  const at::Tensor oneRow = at::randn({2312});
  const at::Tensor matrix = at::randn({kColumns, 2312});
  for (const Case& one : casesFor(/*fewRows=*/true)) {
    for (const Case& other : casesFor(/*fewRows=*/true)) {
      if (other.macros.dModel != one.macros.dModel || other.macros.bfloat16 != one.macros.bfloat16) continue;
      const auto run = [&](const Case& with, std::int64_t row) {
        const std::int64_t size = with.macros.dModel;
        const at::Tensor hidden = at::randn({with.rows(), size});
        hidden[row].copy_(oneRow.slice(0, 0, size));
        const at::Tensor norm = at::ones({size});
        const at::Tensor weight = matrix.slice(1, 0, size).to(with.type());
        const Output output({with.rows(), kColumns}, with.type());
        const at::Tensor contiguous = weight.contiguous();
        with.run("normLinear", 2, 1, kLinearThreads, hidden.data_ptr(), norm.data_ptr(), contiguous.data_ptr(),
                 output.pointer(), kColumns);
        return output.values(with.where())[row].clone();
      };
      expect(at::equal(run(one, 0), run(other, other.rows() - 1)),
             "the same bits" + one.where() + " as" + other.where());
    }
  }
}

at::Tensor bitsOf(const at::Tensor& tensor) {
  return tensor.view(tensor.scalar_type() == at::kFloat ? at::kInt : at::kShort);
}

/// softmax(query x keys^T + added) x values for [heads, dKv] and [heads, length, dKv].
Expected attention(const Case& one, const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                   const at::Tensor& added) {
  const at::Tensor scores = at::matmul(keys.to(at::kDouble), query.to(at::kDouble).unsqueeze(-1)).squeeze(-1) + added;
  const at::Tensor output =
      at::matmul(at::softmax(scores, -1).unsqueeze(1), values.to(at::kDouble)).squeeze(1).reshape({-1});
  // Scores are below 50, so that their error in float32 changes a probability by less than 1e-5 of it.
  const double tolerance = 2e-5 * values.abs().max().item<double>();
  return rounded(one, {output, at::full_like(output, tolerance)});
}

constexpr int kLayers = 2;
constexpr int kLayer = 1;

/// A row's cache of self-attention [layers, 2, heads, capacity, dKv], for `position`.
struct SelfCache {
  at::Tensor memory;
  StepRow row;

  SelfCache(const Case& one, int position, int capacity)
      : memory(one.elements({kLayers, 2, one.macros.heads, capacity, one.macros.dKv})), row() {
    memory.slice(3, position).fill_(kNan);  // not written yet
    row.selfKeys = memory.data_ptr();
    row.selfValues = memory.stride(1);
    row.selfLayer = memory.stride(0);
    row.selfCapacity = capacity;
    row.position = position;
  }
};

void attendsToItself(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  // Around the numbers of keys that the groups of a block read at once: 32 to 128 groups, 4 keys each.
  constexpr std::array kPositions{0, 1, 31, 32, 127, 128, 129, 255, 256, 300, 511, 512, 530};
  std::size_t next = 0;
  for (const Case& one : allCases()) {
    const std::int64_t heads = one.macros.heads;
    const std::int64_t dKv = one.macros.dKv;
    for (std::size_t done = 0; done < kPositions.size(); done += static_cast<std::size_t>(one.rows())) {
      const auto rows = static_cast<int>(one.rows());
      std::vector<SelfCache> caches;
      std::vector<StepRow> stepRows;
      for (int row = 0; row < rows; ++row) {
        const int position = kPositions[next++ % kPositions.size()];
        caches.emplace_back(one, position, position + 1 + row);
        stepRows.push_back(caches.back().row);
      }
      const auto count = static_cast<int>(usedRows(one));
      if (count < rows) stepRows.back() = {};  // not in use: null pointers
      const int reach = next % 2 == 0 ? 20 : 600;
      const at::Tensor bias = at::randn({heads, reach + 1});
      const at::Tensor projected = one.elements({rows, 3, heads, dKv});
      projected.select(1, 0).mul_(0.5);
      std::vector<at::Tensor> before;
      for (const SelfCache& cache : caches) before.push_back(cache.memory.clone());
      const Output output({rows, heads * dKv}, one.type());
      one.run("selfAttention", static_cast<unsigned>(heads), static_cast<unsigned>(rows), kAttentionThreads,
              projected.data_ptr(), stepRows.data(), &count, bias.data_ptr(), reach, kLayer, output.pointer());
      for (int row = 0; row < rows; ++row) {
        const int position = caches[static_cast<std::size_t>(row)].row.position;
        const std::string where = " at position " + std::to_string(position) + one.where();
        at::Tensor expectedCache = before[static_cast<std::size_t>(row)];
        if (row < count) expectedCache.select(0, kLayer).select(2, position).copy_(projected[row].slice(0, 1));
        expect(at::equal(bitsOf(caches[static_cast<std::size_t>(row)].memory), bitsOf(expectedCache)),
               "a cache with one more position" + where);
        if (row >= count) {
          expect(output.values(where)[row].isnan().all().item<bool>(), "no output of an unused row" + where);
          continue;
        }
        const at::Tensor read = expectedCache[kLayer].slice(2, 0, position + 1);
        const at::Tensor distances = (position - at::arange(position + 1)).clamp_max(reach);
        expectWithin(output.values(where)[row],
                     attention(one, projected[row][0], read[0], read[1], at::index_select(bias, 1, distances)),
                     "self-attention" + where);
      }
    }
  }
}

/// An address that nothing can be read from.
void* const kFreed = reinterpret_cast<void*>(std::uintptr_t{16});

void attendsToSources(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  constexpr std::array kLengths{1, 2, 33, 128, 129, 256, 511, 513};
  std::size_t next = 0;
  for (const Case& one : allCases()) {
    const std::int64_t heads = one.macros.heads;
    const std::int64_t dKv = one.macros.dKv;
    const auto rows = static_cast<int>(one.rows());
    for (std::size_t done = 0; done < kLengths.size(); done += static_cast<std::size_t>(rows)) {
      const auto count = static_cast<int>(usedRows(one));
      const at::Tensor query = one.elements({rows, heads, dKv}, 0.5);
      std::vector<at::Tensor> keysAndValues;
      std::vector<at::Tensor> masks;
      std::vector<StepRow> stepRows(static_cast<std::size_t>(rows));
      for (int row = 0; row < rows; ++row) {
        const int length = kLengths[next % kLengths.size()];
        keysAndValues.push_back(one.elements({kLayers, 2, heads, length, dKv}));
        // Nothing, some or all keys are masked.
        masks.push_back(next % 3 == 0   ? at::zeros({length})
                        : next % 3 == 1 ? at::full({length}, kMaskedScore)
                                        : at::rand({length}).gt(0.5).to(at::kFloat) * kMaskedScore);
        StepRow& stepRow = stepRows[static_cast<std::size_t>(row)];
        stepRow.crossKeys = keysAndValues.back().data_ptr();
        stepRow.crossMask = next % 3 == 0 ? nullptr : dataOf(masks.back());
        stepRow.crossValues = keysAndValues.back().stride(1);
        stepRow.crossLayer = keysAndValues.back().stride(0);
        stepRow.sourceLength = length;
        if (row >= count) {  // not in use: pointers to freed memory, which may not be read
          stepRow.crossKeys = kFreed;
          stepRow.crossMask = static_cast<const float*>(kFreed);
        }
        ++next;
      }
      const Output output({rows, heads * dKv}, one.type());
      one.run("crossAttention", static_cast<unsigned>(heads), static_cast<unsigned>(rows), kAttentionThreads,
              query.data_ptr(), stepRows.data(), &count, kLayer, output.pointer());
      for (int row = 0; row < rows; ++row) {
        const at::Tensor& read = keysAndValues[static_cast<std::size_t>(row)][kLayer];
        const std::string where = " to " + std::to_string(read.size(2)) + " keys" + one.where();
        if (row >= count) {
          expect(output.values(where)[row].isnan().all().item<bool>(), "no output of an unused row" + where);
          continue;
        }
        // In float32, a masked score is the mask alone.
        const at::Tensor& mask = masks[static_cast<std::size_t>(row)];
        const bool isFullyMasked = mask.ne(0).all().item<bool>();
        expectWithin(output.values(where)[row],
                     attention(one, isFullyMasked ? at::zeros_like(query[row]) : query[row], read[0], read[1],
                               mask.to(at::kDouble)),
                     "cross-attention" + where);
      }
    }
  }
}

/// Runs `choose` on logits [rows, vocabSize], which are ranked for a module for few rows.
template <class... Arguments>
void runChoose(const Case& one, const at::Tensor& logits, Arguments... arguments) {
  const auto rows = static_cast<unsigned>(logits.size(0));
  const auto vocabSize = static_cast<int>(logits.size(1));
  if (!one.isForFewRows()) {
    one.run("choose", rows, 1, kChooseThreads, logits.data_ptr(), vocabSize, arguments...);
    return;
  }
  std::vector<Rank> ranks;
  for (std::int64_t i = 0; i < logits.numel(); ++i)
    ranks.push_back(rankOf(dataOf(logits)[i], static_cast<int>(i % vocabSize)));
  one.run("choose", rows, 1, kRowThreads, ranks.data(), vocabSize, arguments...);
}

/// Logits with their maximum at the index that torch.argmax returns.
std::vector<at::Tensor> difficultLogits(std::int64_t vocabSize) {
  std::vector<at::Tensor> rows;
  for (int kind = 0; kind < 7; ++kind) {
    at::Tensor row = at::randn({vocabSize});
    if (kind == 1) row.fill_(-2);                         // all equal
    if (kind == 2) row.slice(0, vocabSize / 2).fill_(9);  // the first of many
    if (kind == 3) row[vocabSize - 1] = kNan;             // NaN, with infinity before it
    if (kind == 3) row[0] = kInfinity;
    if (kind == 4) row.slice(0, vocabSize / 3, vocabSize, 2).fill_(kNan);  // the first NaN
    if (kind == 5) row.fill_(-kInfinity);
    if (kind == 6) row = at::arange(vocabSize).fmod(2).sub(1).mul(0.0);  // zeros of both signs
    rows.push_back(row);
  }
  return rows;
}

void choosesTheMaximum(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Case& one : allCases()) {
    for (const std::int64_t vocabSize : {2, 33, 1024, 1025, 5001, 17001}) {
      const std::vector<at::Tensor> all = difficultLogits(vocabSize);
      const at::Tensor logits = at::stack(all);
      const auto count = static_cast<int>(all.size());
      std::vector<StepRow> rows(all.size());
      std::vector<int> tokens(all.size(), -1);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        rows[row].unfinished = 1;
        rows[row].rule = {&tokens[row], nullptr, 1, 0, -1};
      }
      const at::Tensor embedding = at::zeros({vocabSize, one.macros.dModel}, one.type());
      const Output hidden({count, one.macros.dModel}, at::kFloat);
      runChoose(one, logits, embedding.data_ptr(), &count, rows.data(), hidden.pointer());
      for (std::size_t row = 0; row < all.size(); ++row) {
        const auto expected = at::argmax(all[row]).item<std::int64_t>();
        expect(tokens[row] == expected, "the index " + std::to_string(expected) + " for logits of kind " +
                                            std::to_string(row) + " of " + std::to_string(vocabSize) +
                                            " but received " + std::to_string(tokens[row]) + one.where());
      }
    }
  }
}

void continuesRows(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  constexpr int kVocabSize = 50;
  constexpr int kRoom = 3;
  constexpr int kEos = 7;
  constexpr int kUnused = -5;
  const std::array eosTokenIds{3, kEos};
  for (const Case& one : allCases()) {
    for (const int padTokenId : {0, -1}) {
      // In turn: chooses 11; ends with 7; has ended, and would choose 11; stores its id over its first one; is not
      // in use.
      const at::Tensor logits = at::zeros({5, kVocabSize});
      for (const int row : {0, 2, 3, 4}) logits[row][11] = 1;
      logits[1][kEos] = 1;
      std::array<StepRow, 5> rows{};
      for (StepRow& row : rows) {
        row.unfinished = 1;
        row.position = 40;
        row.generated = 1;
      }
      rows[2].unfinished = 0;
      rows[2].length = 1;
      rows[3].generated = kRoom;
      const int count = 4;
      std::vector<int> tokens(5 * kRoom + 1, kUnused);
      for (std::size_t row = 0; row < rows.size(); ++row)
        rows[row].rule = {&tokens[row * kRoom], eosTokenIds.data(), kRoom, 2, padTokenId};
      const at::Tensor embedding = one.elements({kVocabSize, one.macros.dModel});
      const Output hidden({5, one.macros.dModel}, at::kFloat);
      runChoose(one, logits, embedding.data_ptr(), &count, rows.data(), hidden.pointer());

      const int afterEnd = padTokenId < 0 ? 11 : padTokenId;
      const at::Tensor embedded = hidden.values(one.where());
      expect(at::equal(embedded.slice(0, 0, 4),
                       at::embedding(embedding, at::tensor({11, kEos, afterEnd, 11})).to(at::kFloat)),
             "the embeddings of the next ids" + one.where());
      expect(embedded[4].isnan().all().item<bool>(), "no embedding of an unused row" + one.where());
      std::vector<int> expected(5 * kRoom + 1, kUnused);
      expected[1] = 11;
      expected[kRoom + 1] = kEos;
      expected[2 * kRoom + 1] = afterEnd;
      expected[3 * kRoom] = 11;
      expect(tokens == expected, "each row's ids, the latest that there is room for" + one.where());
      const auto is = [&](const StepRow& row, int unfinished, int generated, int length, int position) {
        return row.unfinished == unfinished && row.generated == generated && row.length == length &&
               row.position == position;
      };
      expect(is(rows[0], 1, 2, 0, 41), "a row that goes on" + one.where());
      expect(is(rows[1], 0, 2, 2, 41), "a row that has ended" + one.where());
      expect(is(rows[2], 0, 2, 1, 41), "a row that had ended before" + one.where());
      expect(is(rows[3], 1, kRoom + 1, 0, 41), "a row without more room" + one.where());
      expect(is(rows[4], 1, 1, 0, 40), "an unused row as it was" + one.where());
    }
  }
}

void endEarly(void* const*) {
  if (threadIdx.x != 5) emulator::waitAtBarrier();
}

void exchangeApart(void* const*) {
  if (threadIdx.x % 2 == 0)
    emulator::exchange(1, 0);
  else
    emulator::waitAtBarrier();
}

void exchangeAndWait(void* const* arguments) {
  auto* sums = static_cast<unsigned*>(arguments[0]);
  unsigned sum = threadIdx.x;
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(~0U, sum, offset);
  sums[threadIdx.x] = sum;
  __syncthreads();
  sum = sums[(threadIdx.x + 32) % blockDim.x];
  __syncthreads();
  sums[threadIdx.x] = sum;
}

void reportsDeadlocks(std::span<char*>) {
  for (const auto kernel : {endEarly, exchangeApart}) {
    std::string message;
    try {
      emulator::run({1, 1, 64}, kernel, nullptr);
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    expect(message.find("wait forever") != std::string::npos, "a report but received " + message);
  }
  std::array<unsigned, 64> sums{};
  void* arguments[] = {sums.data()};
  emulator::run({2, 2, 64}, exchangeAndWait, arguments);
  expect(sums[0] == 1520 && sums[63] == 496, "sums of the other warp, after a deadlock in the same thread");
}

constexpr std::array<test::Test, 16> kTests{{
    {"embed ids", embeds},
    {"normalize like RMSNorm", normalizes},
    {"add before they normalize", addsAndNormalizes},
    {"activate like ATen", activates},
    {"scale and round states", scalesStates},
    {"multiply norms by a matrix", multipliesNorms},
    {"compute the feed-forward layer", feedsForward},
    {"add products to hidden states", addsProducts},
    {"make logits", makesLogits},
    {"keep the rank of the logit that torch.argmax chooses", comparesLogits},
    {"give a row the same bits next to any others", keepsRowsApart},
    {"attend to each row's own cache, and append to it", attendsToItself},
    {"attend to each row's own source", attendsToSources},
    {"choose what torch.argmax chooses", choosesTheMaximum},
    {"continue rows with what they choose, and embed it", continuesRows},
    {"are run by an emulator that reports threads that wait forever", reportsDeadlocks},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) {
  at::set_num_threads(1);  // the emulator uses one, and would wait for the others' turns
  return torch_t5::test::runNamed(torch_t5::kTests, argc, argv);
}
