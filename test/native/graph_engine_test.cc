// Compares the ATen engine whose decoder steps and short encoder passes are graphs of kernels with the same engine
// whose operators are launched one by one: on the CPU with emulated kernels, or on the device of TORCH_T5_TEST_DEVICE.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "aten/aten_engine.h"
#include "core/cancellation.h"
#include "core/errors.h"
#include "cuda_emulator/emulated_cuda.h"
#include "engine/cuda_runtime.h"
#include "engine/decoding.h"
#include "engine/device.h"
#include "engine_harness.h"
#include "generation/search.h"
#include "harness.h"

namespace torch_t5 {
namespace {

using test::decode;
using test::demoArchitecture;
using test::expect;
using test::Inputs;
using test::isAborted;
using test::randomIds;
using test::randomInputs;
using test::randomWeights;

/// Both engines compute the same sums in another order. Logits are of order 10.
constexpr double kTolerance = 2e-4;

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The device, and the runtime that makes its graphs.
class Machine {
 public:
  static Machine& get() {
    static Machine machine;
    return machine;
  }

  at::Device device() const { return device_; }
  bool isEmulated() const { return device_.is_cpu(); }
  CudaRuntime& runtime() { return device_.is_cpu() ? emulated_ : *cudaRuntime(); }
  emulator::EmulatedCuda& emulated() { return emulated_; }

 private:
  Machine() {
    const std::string name = variable("TORCH_T5_TEST_DEVICE");
    if (name.empty()) at::set_num_threads(1);  // small products between emulated kernels
    if (!name.empty()) device_ = resolveDevice(name, variable("TORCH_T5_TEST_LIBTORCH"));
    expect(device_.is_cpu() || cudaRuntime() != nullptr, "torch_t5_cuda on a CUDA device");
  }

  at::Device device_ = c10::kCPU;
  emulator::EmulatedCuda emulated_;
};

// Emulated kernels are compiled for the demo model's architecture, and for this one.
Architecture gatedArchitecture() {
  Architecture shape = demoArchitecture();
  shape.dModel = 64;
  shape.dKv = 16;
  shape.dFf = 96;
  shape.relativeAttentionMaxDistance = 20;
  shape.activation = Activation::kGeluNew;
  shape.isGated = true;
  shape.hasBiasPerLayer = true;
  shape.scalesDecoderOutputs = false;
  return shape;
}

/// Engines with the same weights.
struct Engines {
  using Change = std::function<Weights(Weights)>;

  /// `change`: makes the weights of another kind of model from those of a whole one.
  explicit Engines(const Architecture& shape, Precision precision = Precision::kFloat32, const Change& change = {})
      : shape(shape) {
    const at::Device device = Machine::get().device();  // opens libtorch's CUDA library, which the seed needs
    at::manual_seed(5);
    Weights weights = randomWeights(shape, /*isTied=*/shape.scalesDecoderOutputs);
    if (change) weights = change(std::move(weights));
    graphed = makeAtenEngine(weights, shape, precision, device, &Machine::get().runtime());
    merging = makeAtenEngine(weights, shape, precision, device, &Machine::get().runtime(), /*mergesCalls=*/true);
    expected = makeAtenEngine(weights, shape, precision, device);
  }

  Inputs inputs(std::int64_t batch, std::int64_t sourceLength, std::int64_t targetLength) const {
    const Inputs inputs = randomInputs(batch, sourceLength, targetLength, shape.vocabSize);
    const at::Device device = Machine::get().device();
    return {inputs.inputIds.to(device), inputs.attentionMask.to(device), inputs.decoderInputIds.to(device)};
  }

  at::Tensor ids(std::int64_t rows, std::int64_t length) const {
    return randomIds(rows, length, shape.vocabSize).to(Machine::get().device());
  }

  Architecture shape;
  std::unique_ptr<Engine> graphed;
  std::unique_ptr<Engine> merging;  // of the calls of several callers, with graphs
  std::unique_ptr<Engine> expected;
};

void expectClose(const at::Tensor& received, const at::Tensor& expected, const std::string& what) {
  test::expectClose(received, expected, kTolerance, what);
}

DecoderState startOf(Engine& engine, const Inputs& inputs, std::int64_t rowsPerSource = 1) {
  const at::Tensor states = engine.encode(inputs.inputIds, inputs.attentionMask);
  return {
      repeatRows(std::make_shared<const EncoderOutput>(EncoderOutput{inputs.inputIds, inputs.attentionMask, states}),
                 rowsPerSource),
      nullptr, 0};
}

/// The same ids read by both engines.
class Decodings {
 public:
  Decodings(const Engines& engines, const Inputs& inputs, std::int64_t rowsPerSource = 1)
      : engines_(engines),
        received_(startOf(*engines.graphed, inputs, rowsPerSource)),
        expected_(startOf(*engines.expected, inputs, rowsPerSource)) {}

  void read(const at::Tensor& ids, const std::string& where) {
    const DecoderOutput received = decode(*engines_.graphed, received_, ids, {});
    const DecoderOutput expected = decode(*engines_.expected, expected_, ids, {});
    expectClose(received.decoderLastHiddenState, expected.decoderLastHiddenState, "the states " + where);
    expectClose(received.logits, expected.logits, "the logits " + where);
  }

  void readRandom(int count, const std::string& where) {
    for (int step = 0; step < count; ++step)
      read(engines_.ids(received_.batch(), 1), where + ", position " + std::to_string(received_.position));
  }

  void select(const at::Tensor& rows) {
    received_ = selectRows(received_, rows);
    expected_ = selectRows(expected_, rows);
  }

 private:
  const Engines& engines_;
  DecoderState received_;
  DecoderState expected_;
};

/// The emulator is slow, so it gets fewer cases.
template <class Value>
std::vector<Value> cases(std::vector<Value> emulated, std::vector<Value> others) {
  if (Machine::get().isEmulated()) return emulated;
  others.insert(others.end(), emulated.begin(), emulated.end());
  return others;
}

std::vector<Architecture> architectures() { return {demoArchitecture(), gatedArchitecture()}; }

at::Tensor rowsOf(std::initializer_list<std::int64_t> rows) {
  return at::tensor(rows, at::kLong).to(Machine::get().device());
}

void computesSteps(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    const Engines engines(shape);
    for (const std::int64_t rows : cases<std::int64_t>({1, 2, 3, 7, 9, 17, 65}, {4, 5, 8, 16, 32, 33, 64})) {
      Decodings decodings(engines, engines.inputs(rows, 11, 1));
      decodings.readRandom(3, "of " + std::to_string(rows) + " rows");
    }
  }
}

/// Beyond the last bucket of the position bias, and through several copies of the cache into a larger one.
void computesLongDecodings(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : cases<Architecture>({gatedArchitecture()}, {demoArchitecture()})) {
    const Engines engines(shape);
    for (const std::int64_t prefix : {1, 40}) {
      const Inputs inputs = engines.inputs(2, 90, prefix);
      Decodings decodings(engines, inputs);
      decodings.read(inputs.decoderInputIds, "of the prefix");
      decodings.readRandom(Machine::get().isEmulated() ? 40 : 160, "after a prefix of " + std::to_string(prefix));
    }
  }
}

void continuesFromSelectedRows(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(demoArchitecture());
  Decodings decodings(engines, engines.inputs(3, 10, 1), 4);
  decodings.readRandom(2, "of shared rows");
  for (const at::Tensor& rows : {rowsOf({3, 3, 0, 1, 5, 4, 4, 4, 8, 9, 10, 11}), rowsOf({11, 0, 0, 4, 4, 4, 1}),
                                 rowsOf({6, 6, 0, 1}), rowsOf({2, 2, 2})}) {
    decodings.select(rows);
    Decodings fork = decodings;
    decodings.readRandom(3, "of selected rows");
    fork.readRandom(2, "of a fork");
    decodings.readRandom(1, "after a fork");
  }
}

void encodesShortInputs(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    const Engines engines(shape);
    // Three times each: as it is, recorded and replayed. Two sizes share a bucket.
    for (int round = 0; round < 3; ++round) {
      for (const auto& [batch, length] :
           {std::pair{1, 1}, {1, 16}, {1, 17}, {3, 7}, {4, 16}, {6, 33}, {5, 70}, {2, 300}}) {
        const Inputs inputs = engines.inputs(batch, length, 1);
        const std::string where = "of " + std::to_string(batch) + " x " + std::to_string(length);
        expectClose(engines.graphed->encode(inputs.inputIds, inputs.attentionMask),
                    engines.expected->encode(inputs.inputIds, inputs.attentionMask), "the encoder's states " + where);
        for (const std::int64_t targetLength : {1, 2, 9}) {
          const at::Tensor ids = engines.ids(batch, targetLength);
          const ForwardOutput received = engines.graphed->forward(inputs.inputIds, inputs.attentionMask, ids, {});
          const ForwardOutput expected = engines.expected->forward(inputs.inputIds, inputs.attentionMask, ids, {});
          expectClose(received.logits, expected.logits, "the logits " + where);
        }
      }
    }
  }
}

/// Prompts, the targets of score requests, and sessions that go on after them.
void readsPrefixes(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    const Engines engines(shape);
    // Three times each: as it is, recorded and replayed. Some sizes share a bucket.
    for (int round = 0; round < 3; ++round) {
      for (const auto& [sources, rowsPerSource, length] :
           {std::tuple{1, 1, 2}, {1, 1, 8}, {1, 3, 5}, {3, 1, 9}, {4, 2, 17}, {1, 40, 3}}) {
        Decodings decodings(engines, engines.inputs(sources, 7 + length, 1), rowsPerSource);
        decodings.read(engines.ids(sources * rowsPerSource, length), "of a prefix of " + std::to_string(length));
        decodings.readRandom(1, "after it");
      }
    }
  }
}

GenerateResult generate(Engine& engine, const Inputs& inputs, const GenerateOptions& options) {
  GenerateRequest request;
  request.source = std::make_shared<const EncoderOutput>(
      EncoderOutput{inputs.inputIds, inputs.attentionMask, engine.encode(inputs.inputIds, inputs.attentionMask)});
  request.targetLength = 1;
  request.decoderInputIds.assign(static_cast<std::size_t>(inputs.inputIds.size(0)), 0);
  request.options = options;
  const auto shared = std::make_shared<const GenerateRequest>(std::move(request));
  return runAlone(engine, [&](SharedEngine& sharedEngine) { return runGenerate(sharedEngine, shared); });
}

/// Every seventh id ends a sequence, so sequences end at different steps.
std::vector<std::int32_t> manyEndIds(std::int64_t vocabSize) {
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 3; id < vocabSize; id += 7) ids.push_back(id);
  return ids;
}

/// Fails unless both engines generate the same ids, with the same ends.
void expectSame(const Engines& engines, const Inputs& inputs, const GenerateOptions& options) {
  const GenerateResult graphed = generate(*engines.graphed, inputs, options);
  const GenerateResult expected = generate(*engines.expected, inputs, options);
  const std::string what =
      " for " + std::to_string(inputs.inputIds.size(0)) + " rows up to " + std::to_string(options.maxLength);
  expect(at::equal(graphed.sequences, expected.sequences), "the same ids" + what);
  expect(graphed.finishReasons == expected.finishReasons, "the same reasons" + what);
  expect(graphed.lengths == expected.lengths, "the same lengths" + what);
}

void generatesGreedily(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    const Engines engines(shape);
    for (const std::int64_t rows : cases<std::int64_t>({1, 9, 17}, {2, 5, 8, 40, 70})) {
      const Inputs inputs = engines.inputs(rows, 9, 1);
      GenerateOptions options;
      for (const std::int64_t padTokenId : {0, -1}) {
        options.padTokenId = padTokenId;
        options.eosTokenIds = manyEndIds(shape.vocabSize);
        options.maxLength = 13;
        expectSame(engines, inputs, options);
      }
      options.eosTokenIds.clear();
      // Shorter than the steps that are enqueued at a time, as long, and longer.
      for (const std::int64_t maxLength : cases<std::int64_t>({2, 7}, {3, 5, 6, 31})) {
        options.maxLength = maxLength;
        expectSame(engines, inputs, options);
      }
    }
  }
}

/// An id that the longest of the greedy sequences chooses after `length` tokens and not before, if there is one.
std::int32_t endIdAfter(const Engines& engines, const Inputs& inputs, std::int64_t length) {
  GenerateOptions options;
  options.maxLength = length + 10;
  const at::Tensor ids = generate(*engines.expected, inputs, options).sequences;
  for (std::int64_t at = length; at < ids.size(1); ++at) {
    const at::Tensor id = ids[0][at];
    if (!ids.slice(1, 0, at).eq(id).any().item<bool>()) return id.item<std::int32_t>();
  }
  return 3;
}

/// More tokens than a search reserves room for at a time.
void generatesLongSequences(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(gatedArchitecture());
  const Inputs inputs = engines.inputs(2, 9, 1);
  GenerateOptions options;
  options.maxLength = Machine::get().isEmulated() ? 140 : 600;
  expectSame(engines, inputs, options);
  options.eosTokenIds = {endIdAfter(engines, inputs, 130)};
  expectSame(engines, inputs, options);
}

/// Beams and sampling use single steps of the same graphs.
void generatesWithBeamsAndSamples(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(gatedArchitecture());
  const Inputs inputs = engines.inputs(3, 9, 1);
  GenerateOptions options;
  options.maxLength = 12;
  options.eosTokenIds = {3};
  options.numBeams = 4;
  expectSame(engines, inputs, options);
  options.numBeams = 1;
  options.doSample = true;
  options.topK = 5;
  options.eosTokenIds = manyEndIds(engines.shape.vocabSize);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    options.seed = seed;
    expectSame(engines, inputs, options);
  }
}

/// bfloat16 has 8 significant bits, and the engines round at different places.
void agreesInBfloat16(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    const Engines exact(shape);
    const Engines engines(shape, Precision::kBfloat16);
    double graphedError = 0;
    double eagerError = 0;
    for (const std::int64_t rows : {4, 7, 30}) {
      const Inputs inputs = engines.inputs(rows, 14, 1);
      const auto read = [&](Engine& engine) {
        DecoderState state = startOf(engine, inputs);
        std::vector<at::Tensor> logits;
        for (std::int64_t position = 0; position < 8; ++position)
          logits.push_back(
              decode(engine, state, (inputs.decoderInputIds + 31 * position) % shape.vocabSize, {}).logits);
        return at::cat(logits, 1);
      };
      const at::Tensor expected = read(*exact.expected);
      graphedError += (read(*engines.graphed) - expected).abs().mean().item<double>();
      eagerError += (read(*engines.expected) - expected).abs().mean().item<double>();
    }
    expect(graphedError <= 1.1 * eagerError, "no larger error than without graphs, " + std::to_string(eagerError) +
                                                 ", but it is " + std::to_string(graphedError));
  }
}

void abortsAndRecovers(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(demoArchitecture());
  const Inputs inputs = engines.inputs(2, 8, 1);
  DecoderState state = startOf(*engines.graphed, inputs);
  const at::Tensor ids = engines.ids(2, 1);
  decode(*engines.graphed, state, ids, {});
  DecoderState undisturbed = state;
  expect(isAborted([&] { decode(*engines.graphed, state, ids, {}); }), "ERR_ABORTED from a step");
  const GreedyRequest request{ids.select(1, 0), at::ones_like(ids.select(1, 0)), state.cache, 50, {}, 0};
  expect(isAborted([&] { engines.graphed->decodeGreedily(request); }), "ERR_ABORTED from a greedy search");
  const at::Tensor logits = decode(*engines.graphed, state, ids, {}).logits;
  expect(at::equal(logits, decode(*engines.graphed, undisturbed, ids, {}).logits), "the same bits after an abort");
}

std::shared_ptr<const GenerateRequest> requestOf(const Inputs& inputs, const GenerateOptions& options) {
  const auto numbers = [](const at::Tensor& tensor) {
    const at::Tensor values = tensor.to(at::kCPU, at::kInt).contiguous().flatten();
    return std::vector<std::int32_t>(values.const_data_ptr<int>(), values.const_data_ptr<int>() + values.numel());
  };
  GenerateRequest request;
  request.source = SourceIds{inputs.inputIds.size(0), inputs.inputIds.size(1), numbers(inputs.inputIds),
                             numbers(inputs.attentionMask)};
  request.targetLength = 1;
  request.decoderInputIds.assign(static_cast<std::size_t>(inputs.inputIds.size(0)), 0);
  request.options = options;
  return std::make_shared<const GenerateRequest>(std::move(request));
}

/// Generations of several callers, which the engine runs together as a scheduler asks it to.
class Callers {
 public:
  explicit Callers(Engine& engine) : engine_(engine) {}

  void start(std::shared_ptr<const GenerateRequest> request) {
    auto caller = std::make_unique<Caller>(engine_);
    caller->task.emplace(runGenerate(caller->shared, std::move(request)));
    caller->task->start();
    callers_.push_back(std::move(caller));
  }

  /// Leaves the call of a caller behind, as an abort does.
  void drop(std::size_t caller) { callers_.at(caller)->shared.fail(std::make_exception_ptr(aborted())); }

  /// Runs one pass. Returns whether anyone waits for another one.
  bool pass() {
    std::vector<Caller*> waiting;
    std::vector<EngineCall*> calls;
    for (const std::unique_ptr<Caller>& caller : callers_) {
      if (caller->shared.waitsFor() == nullptr) continue;
      waiting.push_back(caller.get());
      calls.push_back(caller->shared.waitsFor());
    }
    if (calls.empty()) return false;
    engine_.runTogether(calls);
    for (Caller* caller : waiting) {
      if (caller->shared.waitsFor()->hasEnded()) caller->shared.resume();
    }
    return true;
  }

  GenerateResult take(std::size_t caller) { return callers_.at(caller)->task->take(); }

 private:
  struct Caller {
    explicit Caller(Engine& engine) : shared(engine) {}
    SharedEngine shared;
    std::optional<Task<GenerateResult>> task;
  };

  Engine& engine_;
  std::vector<std::unique_ptr<Caller>> callers_;
};

/// Callers come and go at any step, with different numbers of rows, lengths, end ids and kinds of search.
void sharesStepsOfSearches(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : cases<Architecture>({gatedArchitecture()}, {demoArchitecture()})) {
    const Engines engines(shape);
    Callers callers(*engines.merging);
    std::vector<std::pair<Inputs, GenerateOptions>> requests;
    const auto add = [&](std::int64_t rows, std::int64_t sourceLength, std::int64_t maxLength, int kind) {
      GenerateOptions options;
      options.maxLength = maxLength;
      if (kind % 2 == 1) options.eosTokenIds = manyEndIds(shape.vocabSize);
      if (kind == 3) options.padTokenId = -1;
      if (kind == 4) options.numBeams = 2;
      if (kind == 5) options.suppressTokens = {11, 12};
      requests.emplace_back(engines.inputs(rows, sourceLength, 1), options);
      callers.start(requestOf(requests.back().first, options));
    };
    add(1, 9, 12, 0);
    add(2, 5, 30, 1);
    callers.pass();
    add(1, 17, 2, 0);  // a single token
    callers.pass();
    callers.pass();
    add(3, 4, 21, 3);
    add(2, 30, 160, 0);  // more than a search reserves room for at a time
    callers.pass();
    add(1, 6, 9, 4);
    add(1, 6, 9, 5);
    callers.pass();
    callers.drop(1);
    add(4, 6, 15, 1);
    for (int caller = 0; caller < 5; ++caller) add(1 + caller % 2, 8 + caller, 7 + caller, caller % 2);
    while (callers.pass()) {
    }
    for (std::size_t caller = 0; caller < requests.size(); ++caller) {
      const std::string who = "caller " + std::to_string(caller);
      if (caller == 1) {
        expect(isAborted([&] { callers.take(1); }), "ERR_ABORTED for the one that was dropped");
        continue;
      }
      const auto& [inputs, options] = requests[caller];
      const GenerateResult received = callers.take(caller);
      const GenerateResult expected = generate(*engines.expected, inputs, options);
      expect(at::equal(received.sequences, expected.sequences), "the ids that it has alone, for " + who);
      expect(received.finishReasons == expected.finishReasons, "the reasons, for " + who);
      expect(received.lengths == expected.lengths, "the lengths, for " + who);
    }
  }
}

/// More rows than a step has wait, and begin when others have ended.
void waitsForRoom(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(gatedArchitecture());
  Callers callers(*engines.merging);
  std::vector<std::pair<Inputs, GenerateOptions>> requests;
  for (const std::int64_t rows : {40, 20, 30, 1}) {
    GenerateOptions options;
    options.maxLength = 6 + rows % 3;
    requests.emplace_back(engines.inputs(rows, 5, 1), options);
    callers.start(requestOf(requests.back().first, options));
  }
  while (callers.pass()) {
  }
  for (std::size_t caller = 0; caller < requests.size(); ++caller) {
    const auto& [inputs, options] = requests[caller];
    expect(at::equal(callers.take(caller).sequences, generate(*engines.expected, inputs, options).sequences),
           "the ids that it has alone, for caller " + std::to_string(caller));
  }
}

/// Encoder passes, forward passes of one position, first and later steps of several callers, in one pass.
void mergesOtherCalls(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    const Engines engines(shape);
    std::vector<Inputs> inputs;
    for (const auto& [rows, length] : {std::pair{1, 5}, {2, 8}, {5, 6}, {1, 30}, {3, 31}, {1, 31}})
      inputs.push_back(engines.inputs(rows, length, 1));
    LogitsSelection some;
    some.tokens = rowsOf({5, 3, 90});
    std::vector<DecoderState> states;
    for (const Inputs& one : inputs) states.push_back(startOf(*engines.merging, one));
    // Two of them have read ids, one more than the other.
    decode(*engines.merging, states[1], inputs[1].decoderInputIds, {});
    decode(*engines.merging, states[1], inputs[1].decoderInputIds, {});
    decode(*engines.merging, states[4], inputs[4].decoderInputIds, {});
    std::vector<EngineCall> calls;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Inputs& one = inputs[i];
      const LogitsSelection& selection = i % 3 == 2 ? some : LogitsSelection();
      calls.push_back({EncodeCall{one.inputIds, one.attentionMask, {}}, {}});
      calls.push_back({ForwardCall{one.inputIds, one.attentionMask, one.decoderInputIds, selection, {}}, {}});
      calls.push_back(
          {DecodeCall{one.decoderInputIds, states[i].source, states[i].cache, selection, i == 3, {}, {}}, {}});
    }
    std::vector<EngineCall*> pointers;
    for (EngineCall& call : calls) pointers.push_back(&call);
    engines.merging->runTogether(pointers);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Inputs& one = inputs[i];
      const LogitsSelection& selection = i % 3 == 2 ? some : LogitsSelection();
      const std::string where = " of call " + std::to_string(i);
      for (std::size_t kind = 0; kind < 3; ++kind) {
        const std::exception_ptr error = calls[3 * i + kind].error;
        if (error) std::rethrow_exception(error);
      }
      const auto& encoded = std::get<EncodeCall>(calls[3 * i].call);
      expectClose(encoded.output, engines.expected->encode(one.inputIds, one.attentionMask), "the states" + where);
      const auto& forward = std::get<ForwardCall>(calls[3 * i + 1].call);
      const ForwardOutput expected =
          engines.expected->forward(one.inputIds, one.attentionMask, one.decoderInputIds, selection);
      expectClose(forward.output.logits, expected.logits, "the logits" + where);
      expectClose(forward.output.encoderLastHiddenState, expected.encoderLastHiddenState, "the states" + where);
      DecoderState state = startOf(*engines.expected, one);
      for (int read = i == 1 ? 2 : i == 4 ? 1 : 0; read > 0; --read)
        decode(*engines.expected, state, one.decoderInputIds, {});
      const DecoderOutput decoded = decode(*engines.expected, state, one.decoderInputIds, selection);
      const auto& step = std::get<DecodeCall>(calls[3 * i + 2].call);
      if (i == 3) {
        expect(at::equal(step.tokens, at::argmax(decoded.logits.squeeze(1), -1)), "the best ids" + where);
      } else {
        expectClose(step.output.logits, decoded.logits, "the logits of a step" + where);
      }
      // The cache can be continued.
      states[i].cache = step.output.cache;
      ++states[i].position;
      expectClose(decode(*engines.merging, states[i], one.decoderInputIds, {}).logits,
                  decode(*engines.expected, state, one.decoderInputIds, {}).logits, "the logits of the next" + where);
    }
  }
}

/// What cannot be recorded runs as it is.
void runsWithoutGraphs(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  if (!Machine::get().isEmulated()) return;  // a real runtime fails only when its memory is full
  emulator::EmulatedCuda& emulated = Machine::get().emulated();
  const Engines engines(demoArchitecture());
  const auto fail = [] { throw Error(ErrorCode::kOutOfMemory, "There is no memory"); };
  emulated.beforeCapture = fail;
  Decodings decodings(engines, engines.inputs(3, 11, 1));
  decodings.readRandom(6, "without graphs");
  emulated.beforeCapture = nullptr;
  emulated.beforeCompile = [] { throw Error(ErrorCode::kDeviceUnavailable, "There is no compiler"); };
  const Engines withoutKernels(demoArchitecture());
  emulated.beforeCompile = nullptr;
  Decodings others(withoutKernels, withoutKernels.inputs(3, 11, 1));
  others.readRandom(6, "without kernels");
}

/// Each number of rows is recorded once, whatever the lengths.
void recordsOncePerNumberOfRows(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  if (!Machine::get().isEmulated()) return;  // only the emulator counts
  const Engines engines(demoArchitecture());
  const int before = Machine::get().emulated().counts().captures;
  for (const auto& [rows, length] : {std::pair{3, 20}, {4, 33}}) {
    DecoderState state = startOf(*engines.expected, engines.inputs(rows, length, 1));
    for (int step = 0; step < 40; ++step) decode(*engines.graphed, state, engines.ids(rows, 1), {});
  }
  const int captures = Machine::get().emulated().counts().captures - before;
  expect(captures == 1, "one graph for 3 and 4 rows, but there are " + std::to_string(captures));
}

/// An encoder alone has the graphs of its encoder, and no others.
void encodesWithoutDecoder(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    const Engines engines(shape, Precision::kFloat32, test::encoderOf);
    for (const auto& [batch, length] : {std::pair{1, 1}, {3, 20}, {2, 40}}) {
      const Inputs inputs = engines.inputs(batch, length, 2);
      expectClose(engines.graphed->encode(inputs.inputIds, inputs.attentionMask),
                  engines.expected->encode(inputs.inputIds, inputs.attentionMask), "the encoder's states");
      test::expectEncoderAlone(*engines.graphed, inputs);
    }
  }
}

/// A classifier of texts has the graphs of its encoder and of its decoder's prefix, and no kernels for steps.
void classifies(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  for (const Architecture& shape : architectures()) {
    for (const bool isOfTexts : {true, false}) {
      const Engines engines(shape, Precision::kFloat32, [isOfTexts](Weights weights) {
        return test::classifierOf(std::move(weights), isOfTexts, 5);
      });
      for (const auto& [batch, length] : {std::pair{1, 1}, {3, 20}, {4, 40}}) {
        const Inputs inputs = engines.inputs(batch, length, length);
        Sentence sentence;
        if (isOfTexts) sentence = {inputs.decoderInputIds, at::full({batch}, length - 1, inputs.inputIds.options())};
        const auto classifyWith = [&](Engine& engine) {
          return engine.classify(inputs.inputIds, inputs.attentionMask, sentence);
        };
        const at::Tensor logits = classifyWith(*engines.graphed);
        expectClose(logits, classifyWith(*engines.expected), "the logits of the labels");
        expectClose(classifyWith(*engines.graphed), logits, "the logits of a graph that runs again");
      }
    }
  }
}

constexpr std::array<test::Test, 17> kTests{{
    {"agrees step by step for every number of rows", computesSteps},
    {"agrees over long decodings", computesLongDecodings},
    {"continues from selected rows, and forks", continuesFromSelectedRows},
    {"encodes short inputs of any size and mask", encodesShortInputs},
    {"reads prefixes of any size", readsPrefixes},
    {"generates the same ids greedily, with early and late ends", generatesGreedily},
    {"generates the same ids beyond its reserved room", generatesLongSequences},
    {"generates the same ids with beams and with samples", generatesWithBeamsAndSamples},
    {"has no larger error in bfloat16", agreesInBfloat16},
    {"aborts between steps, and computes the same bits afterwards", abortsAndRecovers},
    {"runs without graphs or kernels where there are none", runsWithoutGraphs},
    {"records a step once per number of rows", recordsOncePerNumberOfRows},
    {"shares the steps of greedy searches that come and go", sharesStepsOfSearches},
    {"lets searches wait for rows", waitsForRoom},
    {"merges encoder passes, forward passes and steps", mergesOtherCalls},
    {"encodes without a decoder, and refuses what needs one", encodesWithoutDecoder},
    {"classifies texts and tokens", classifies},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
