// Compares the ATen engine with the TorchScript engine on the demo model, and with the fused engine on random models:
// `program name model.pt`.
#include "aten/aten_engine.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aten/cache.h"
#include "core/cancellation.h"
#include "engine/decoding.h"
#include "engine_harness.h"
#include "fused/fused_engine.h"
#include "harness.h"
#include "torchscript/torchscript_engine.h"

namespace torch_t5 {
namespace {

using test::demoArchitecture;
using test::expect;
using test::Inputs;
using test::isAborted;
using test::randomWeights;

// Both engines compute the same sums in another order.
constexpr double kTolerance = 1e-4;

struct Engines {
  explicit Engines(const std::string& path, Precision precision = Precision::kFloat32)
      : expected(loadTorchScriptEngine(path, ModelKind::kGeneration, c10::kCPU)),
        aten(makeAtenEngine(readWeights(path, demoArchitecture(), ModelKind::kGeneration), demoArchitecture(),
                            precision, c10::kCPU)) {}

  std::unique_ptr<Engine> expected;
  std::unique_ptr<Engine> aten;
};

at::Tensor ids(std::initializer_list<std::int64_t> values) { return at::tensor(values, at::kLong); }

at::Tensor randomIds(std::int64_t rows, std::int64_t length) {
  return test::randomIds(rows, length, demoArchitecture().vocabSize);
}

Inputs randomInputs(std::int64_t batch, std::int64_t sourceLength, std::int64_t targetLength) {
  return test::randomInputs(batch, sourceLength, targetLength, demoArchitecture().vocabSize);
}

ForwardOutput forward(Engine& engine, const Inputs& inputs, const LogitsSelection& selection = {}) {
  return engine.forward(inputs.inputIds, inputs.attentionMask, inputs.decoderInputIds, selection);
}

std::shared_ptr<const EncoderOutput> encode(Engine& engine, const Inputs& inputs) {
  return std::make_shared<const EncoderOutput>(
      EncoderOutput{inputs.inputIds, inputs.attentionMask, engine.encode(inputs.inputIds, inputs.attentionMask)});
}

void expectClose(const at::Tensor& received, const at::Tensor& expected, const std::string& what) {
  test::expectClose(received, expected, kTolerance, what);
}

void expectClose(const ForwardOutput& received, const ForwardOutput& expected, const std::string& where) {
  expectClose(received.encoderLastHiddenState, expected.encoderLastHiddenState, "the encoder's states " + where);
  expectClose(received.decoderLastHiddenState, expected.decoderLastHiddenState, "the decoder's states " + where);
  expectClose(received.logits, expected.logits, "the logits " + where);
}

void computesWholePasses(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  for (const auto& [batch, source, target] : {std::array{1, 1, 1}, {1, 9, 4}, {6, 17, 5}, {5, 150, 20}, {2, 3, 200}}) {
    const Inputs inputs = randomInputs(batch, source, target);
    expectClose(forward(*engines.aten, inputs), forward(*engines.expected, inputs),
                "of " + std::to_string(batch) + " x " + std::to_string(source) + ", " + std::to_string(target));
  }
}

void computesSelectedLogits(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  const Inputs inputs = randomInputs(3, 11, 6);
  const LogitsSelection some{.positions = ids({5, 0, 5}), .tokens = ids({398, 7, 0, 7})};
  expectClose(forward(*engines.aten, inputs, some), forward(*engines.expected, inputs, some), "that are selected");
  const ForwardOutput none = forward(*engines.aten, inputs, {.isEmpty = true});
  expect(!none.logits.defined() && none.decoderLastHiddenState.defined(), "no logits, but states");
}

/// Incremental decoding with one engine.
class Decoding {
 public:
  Decoding(Engine& engine, const Inputs& inputs, std::int64_t rowsPerSource)
      : engine_(engine), state_{repeatRows(encode(engine, inputs), rowsPerSource), nullptr, 0} {}

  DecoderOutput read(const at::Tensor& decoderInputIds, const LogitsSelection& selection = {}) {
    return test::decode(engine_, state_, decoderInputIds, selection);
  }

  void select(const at::Tensor& rows) { state_ = selectRows(state_, rows); }

 private:
  Engine& engine_;
  DecoderState state_;
};

void expectClose(const DecoderOutput& received, const DecoderOutput& expected, const std::string& where) {
  expectClose(received.logits, expected.logits, "the logits " + where);
  expectClose(received.decoderLastHiddenState, expected.decoderLastHiddenState, "the states " + where);
}

/// `count` steps on random ids.
void expectSameSteps(Decoding& received, Decoding& expected, std::int64_t rows, int count, const std::string& where) {
  for (int step = 0; step < count; ++step) {
    const at::Tensor next = randomIds(rows, 1);
    expectClose(received.read(next), expected.read(next), where + ", step " + std::to_string(step));
  }
}

/// Enough steps for the cache to grow more than once.
void computesSteps(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  for (const std::int64_t prefix : {1, 2, 40}) {
    const Inputs inputs = randomInputs(5, 13, prefix);
    Decoding received(*engines.aten, inputs, 1);
    Decoding expected(*engines.expected, inputs, 1);
    const std::string where = "after a prefix of " + std::to_string(prefix);
    expectClose(received.read(inputs.decoderInputIds), expected.read(inputs.decoderInputIds), where);
    expectSameSteps(received, expected, 5, 100, where);
  }
}

void decodesSharedRows(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  const Inputs inputs = randomInputs(3, 10, 1);
  for (const std::int64_t prefix : {1, 3, 9}) {
    Decoding received(*engines.aten, inputs, 4);
    Decoding expected(*engines.expected, inputs, 4);
    const std::string where = "of rows that share source rows, prefix " + std::to_string(prefix);
    const at::Tensor first = randomIds(12, prefix);
    expectClose(received.read(first), expected.read(first), where);
    // Rows that keep their source, rows that change it, fewer rows, and one row three times.
    for (const at::Tensor& rows : {ids({3, 3, 0, 1, 5, 4, 4, 4, 8, 9, 10, 11}), ids({11, 0, 0, 4, 4, 4, 1}),
                                   ids({6, 6, 0, 1}), ids({2, 2, 2})}) {
      received.select(rows);
      expected.select(rows);
      expectSameSteps(received, expected, rows.size(0), 3, where);
    }
  }
}

void decodesSelectedSources(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  const Inputs inputs = randomInputs(5, 12, 1);
  for (const at::Tensor& rows :
       {ids({1, 2}), ids({4, 0, 0, 3}), ids({3, 1, 1}), ids({2, 2, 2, 2, 0, 0}), ids({0, 1, 2, 3, 4})}) {
    Decoding received(*engines.aten, inputs, 1);
    Decoding expected(*engines.expected, inputs, 1);
    received.select(rows);
    expected.select(rows);
    const at::Tensor first = randomIds(rows.size(0), 2);
    expectClose(received.read(first), expected.read(first), "of selected sources");
    expectSameSteps(received, expected, rows.size(0), 2, "of selected sources");
  }
}

/// Decodings that continue from the same cache do not affect one another.
void forksAreIndependent(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  const Inputs inputs = randomInputs(2, 8, 3);
  Decoding trunk(*engines.aten, inputs, 1);
  Decoding expectedTrunk(*engines.expected, inputs, 1);
  const at::Tensor next = randomIds(2, 1);
  for (Decoding* decoding : {&trunk, &expectedTrunk}) {
    decoding->read(inputs.decoderInputIds);
    decoding->read(next);  // now the cache has room for more
  }
  Decoding fork = trunk;
  Decoding other = trunk;
  Decoding expectedFork = expectedTrunk;
  Decoding expectedOther = expectedTrunk;
  for (int round = 0; round < 3; ++round) {
    expectSameSteps(trunk, expectedTrunk, 2, 2, "of the first");
    expectSameSteps(fork, expectedFork, 2, 1, "of its fork");
    expectSameSteps(other, expectedOther, 2, 1, "of another fork");
  }
}

/// Consecutive steps share memory. A second step from the same cache gets a copy.
void writesInPlace(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  const Inputs inputs = randomInputs(2, 8, 3);
  const at::Tensor next = randomIds(2, 1);
  const DecoderSource source{encode(*engines.aten, inputs), {}};
  const auto step = [&](const DecoderOutput& past) { return engines.aten->step(next, past.cache, {}); };
  const auto memoryOf = [](const DecoderOutput& output) {
    return dynamic_cast<const AtenCache&>(*output.cache).self();
  };
  const DecoderOutput first = step(engines.aten->prefill(inputs.decoderInputIds, source, {}));
  const DecoderOutput second = step(first);
  expect(memoryOf(second) == memoryOf(first) && memoryOf(step(second)) == memoryOf(first), "memory that steps share");
  expect(memoryOf(step(first)) != memoryOf(first), "separate memory for a second step from the same cache");
}

void abortsAndRecovers(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0]);
  const Inputs inputs = randomInputs(2, 8, 3);
  const ForwardOutput before = forward(*engines.aten, inputs);
  expect(isAborted([&] { forward(*engines.aten, inputs); }), "ERR_ABORTED from a pass");
  expect(at::equal(before.logits, forward(*engines.aten, inputs).logits), "the same bits after an abort");

  Decoding decoding(*engines.aten, inputs, 1);
  decoding.read(inputs.decoderInputIds);
  const at::Tensor next = randomIds(2, 1);
  Decoding undisturbed = decoding;
  expect(isAborted([&] { decoding.read(next); }), "ERR_ABORTED from a step");
  expect(at::equal(decoding.read(next).logits, undisturbed.read(next).logits), "the step, after it was aborted once");
}

/// bfloat16 has 8 significant bits: the best token is nearly always the same, and the distributions are close.
void computesInBfloat16(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const Engines engines(arguments[0], Precision::kBfloat16);
  const Inputs inputs = randomInputs(8, 30, 40);
  const ForwardOutput received = forward(*engines.aten, inputs);
  const ForwardOutput expected = forward(*engines.expected, inputs);
  const auto compare = [](const at::Tensor& logits, const at::Tensor& exact, const std::string& what) {
    expect(logits.scalar_type() == at::kFloat, "logits in float32");
    const double agreement = logits.argmax(-1).eq(exact.argmax(-1)).to(at::kFloat).mean().item<double>();
    const double divergence =
        at::kl_div(at::log_softmax(logits, -1), at::log_softmax(exact, -1), at::Reduction::Sum, /*log_target=*/true)
            .item<double>() /
        static_cast<double>(exact.numel() / exact.size(-1));
    expect(agreement >= 0.98, "the best token of " + what + " to be the same, not in " + std::to_string(agreement));
    expect(divergence <= 0.001,
           "close distributions of " + what + ", not a divergence of " + std::to_string(divergence));
  };
  compare(received.logits, expected.logits, "a pass");
  expect(received.encoderLastHiddenState.scalar_type() == at::kFloat, "states in float32");

  Decoding decoding(*engines.aten, inputs, 1);
  std::vector<at::Tensor> logits{decoding.read(inputs.decoderInputIds.slice(1, 0, 3)).logits};
  for (std::int64_t position = 3; position < 40; ++position)
    logits.push_back(decoding.read(inputs.decoderInputIds.slice(1, position, position + 1)).logits);
  compare(at::cat(logits, 1), expected.logits, "a decoding");
}

/// The two engines share only the weights. Other tests compare the fused engine with Hugging Face.
void agreesWithFusedEngine(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  at::manual_seed(7);
  Architecture shape = demoArchitecture();
  shape.dModel = 40;
  shape.dKv = 9;
  shape.dFf = 70;
  shape.numHeads = 3;
  for (const bool isVariant : {false, true}) {
    for (const Activation activation :
         {Activation::kRelu, Activation::kGeluNew, Activation::kGelu, Activation::kSilu}) {
      shape.activation = activation;
      shape.isGated = isVariant;
      shape.hasBiasPerLayer = isVariant;
      shape.scalesDecoderOutputs = !isVariant;
      const Weights weights = randomWeights(shape, /*isTied=*/!isVariant);
      const auto aten = makeAtenEngine(weights, shape, Precision::kFloat32, c10::kCPU);
      const auto fused = makeFusedEngine(weights, shape, Precision::kFloat32, 2);
      const Inputs inputs = randomInputs(6, 19, 18);
      const ForwardOutput whole = forward(*aten, inputs);
      const ForwardOutput ragged = forward(*fused, inputs);
      // Hidden states of padding are unspecified, and the fused engine computes none.
      const at::Tensor kept = inputs.attentionMask.unsqueeze(-1);
      expectClose(whole.encoderLastHiddenState * kept, ragged.encoderLastHiddenState * kept, "the encoder's states");
      expectClose(whole.decoderLastHiddenState, ragged.decoderLastHiddenState, "the decoder's states");
      expectClose(whole.logits, ragged.logits, "the logits");
      Decoding received(*aten, inputs, 2);
      Decoding expected(*fused, inputs, 2);
      expectSameSteps(received, expected, 12, 3, "of the fused engine");
    }
  }
}

/// Every engine loads the encoder of a whole model's archive.
void encodesWithoutDecoder(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const std::string path = arguments[0];
  const Inputs inputs = randomInputs(6, 17, 3);
  const at::Tensor kept = inputs.attentionMask.unsqueeze(-1);
  const auto encodeWith = [&](Engine& engine) { return engine.encode(inputs.inputIds, inputs.attentionMask); };
  const at::Tensor expected = encodeWith(*loadTorchScriptEngine(path, ModelKind::kGeneration, c10::kCPU));
  const auto exact = loadTorchScriptEngine(path, ModelKind::kEncoder, c10::kCPU);
  expect(at::equal(encodeWith(*exact), expected), "the bits of the whole model");
  const Weights weights = readWeights(path, demoArchitecture(), ModelKind::kEncoder);
  expect(!weights.hasDecoder() && weights.decoder.layers.empty(), "no weights of a decoder");
  const auto aten = makeAtenEngine(weights, demoArchitecture(), Precision::kFloat32, c10::kCPU);
  const auto fused = makeFusedEngine(weights, demoArchitecture(), Precision::kFloat32, 2);
  expectClose(encodeWith(*aten), expected, "the ATen engine's states");
  expectClose(encodeWith(*fused) * kept, expected * kept, "the fused engine's states");
  for (Engine* engine : {exact.get(), aten.get(), fused.get()}) test::expectEncoderAlone(*engine, inputs);
}

/// The heads of classifiers, on the states of the same weights without one.
void classifies(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  at::manual_seed(8);
  const Architecture shape = demoArchitecture();
  const Weights plain = randomWeights(shape, /*isTied=*/true);
  const Inputs inputs = randomInputs(4, 13, 13);
  const Sentence sentence{inputs.decoderInputIds, ids({12, 0, 5, 7})};
  const auto linear = [](const at::Tensor& states, const LinearWeights& weights) {
    return at::linear(states, weights.weight, weights.bias);
  };
  const auto whole = makeAtenEngine(plain, shape, Precision::kFloat32, c10::kCPU);
  const ForwardOutput output = forward(*whole, inputs);
  for (const bool isOfTexts : {true, false}) {
    const Weights weights = test::classifierOf(plain, isOfTexts, 3);
    at::Tensor expected;
    if (isOfTexts) {
      const at::Tensor rows = at::arange(4);
      const at::Tensor states = output.decoderLastHiddenState.index({rows, sentence.positions});
      expected = linear(linear(states, weights.classifier[0]).tanh(), weights.classifier[1]);
    } else {
      expected = linear(output.encoderLastHiddenState, weights.classifier[0]);
    }
    const at::Tensor kept = isOfTexts ? at::ones({1}) : inputs.attentionMask.unsqueeze(-1);
    const auto aten = makeAtenEngine(weights, shape, Precision::kFloat32, c10::kCPU);
    const auto fused = makeFusedEngine(weights, shape, Precision::kFloat32, 2);
    for (Engine* engine : {aten.get(), fused.get()}) {
      const Sentence given = isOfTexts ? sentence : Sentence{};
      const at::Tensor logits = engine->classify(inputs.inputIds, inputs.attentionMask, given);
      expectClose(logits * kept, expected * kept, "the logits of the labels");
      expect(test::isRefused([&] { forward(*engine, inputs); }), "logits of a vocabulary are refused without lm_head");
      const at::Tensor again = engine->classify(inputs.inputIds, inputs.attentionMask, given);
      expect(at::equal(again, logits), "the same logits afterwards");
    }
  }
  expect(test::isRefused([&] { whole->classify(inputs.inputIds, inputs.attentionMask, sentence); }),
         "a model without a head classifies nothing");
}

constexpr std::array<test::Test, 12> kTests{{
    {"agrees with the TorchScript engine on whole passes over padded batches", computesWholePasses},
    {"computes the selected logits and no others", computesSelectedLogits},
    {"agrees with the TorchScript engine step by step", computesSteps},
    {"decodes rows that share source rows, and continues from any of them", decodesSharedRows},
    {"decodes selected rows of an encoder output", decodesSelectedSources},
    {"continues from one cache several times, independently", forksAreIndependent},
    {"appends to the previous step's memory unless another step already has", writesInPlace},
    {"aborts between layers, and computes the same bits afterwards", abortsAndRecovers},
    {"agrees approximately in bfloat16", computesInBfloat16},
    {"agrees with the fused engine for every activation, gated or not, with one bias or one per layer",
     agreesWithFusedEngine},
    {"encodes without a decoder, and refuses what needs one", encodesWithoutDecoder},
    {"classifies texts and tokens, and refuses what needs a language-model head", classifies},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
