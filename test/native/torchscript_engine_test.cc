// Tests the TorchScript engine without Node, on a model.pt: `program name model.pt`.
#include "torchscript/torchscript_engine.h"

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/library.h>

#include <array>
#include <chrono>
#include <thread>

#include "core/cancellation.h"
#include "engine/forward.h"
#include "engine/libtorch_errors.h"
#include "harness.h"
#include "torchscript/graph_passes.h"
#include "weights/archive.h"

namespace torch_t5 {
namespace {

using test::expect;
using namespace std::chrono_literals;

// Meta kernels of operators for which PyTorch has them in Python only.

at::Tensor sameShapeOnMeta(const at::Tensor& self) { return at::empty_like(self); }

at::Tensor& whereOutOnMeta(const at::Tensor& condition, const at::Tensor& self, const at::Tensor& other,
                           at::Tensor& out) {
  out.resize_(at::infer_size(condition.sizes(), at::infer_size(self.sizes(), other.sizes())));
  return out;
}

at::Tensor whereOnMeta(const at::Tensor& condition, const at::Tensor& self, const at::Tensor& other) {
  at::Tensor out = at::empty({0}, condition.options().dtype(at::result_type(self, other)));
  return whereOutOnMeta(condition, self, other, out);
}

at::Tensor indexSelectOnMeta(const at::Tensor& self, std::int64_t dim, const at::Tensor& index) {
  std::vector<std::int64_t> sizes = self.sizes().vec();
  sizes.at(static_cast<std::size_t>(at::maybe_wrap_dim(dim, self.dim()))) = index.numel();
  return at::empty(sizes, self.options());
}

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("abs", sameShapeOnMeta);
  library.impl("relu", sameShapeOnMeta);
  library.impl("index_select", indexSelectOnMeta);
  library.impl("where.self", whereOnMeta);
  library.impl("where.self_out", whereOutOnMeta);
}

struct Inputs {
  at::Tensor inputIds;
  at::Tensor attentionMask;
  at::Tensor decoderInputIds;
};

Inputs makeInputs(const at::Device& device, std::int64_t batch, std::int64_t sourceLength, std::int64_t targetLength) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(device);
  return {at::full({batch, sourceLength}, 5, options), at::ones({batch, sourceLength}, options),
          at::full({batch, targetLength}, 7, options)};
}

at::Tensor forwardLogits(Engine& engine, const Inputs& inputs) {
  return engine.forward(inputs.inputIds, inputs.attentionMask, inputs.decoderInputIds, {}).logits;
}

DecoderSource encodeSource(Engine& engine, const Inputs& inputs) {
  const at::Tensor states = engine.encode(inputs.inputIds, inputs.attentionMask);
  return {std::make_shared<const EncoderOutput>(EncoderOutput{inputs.inputIds, inputs.attentionMask, states}), {}};
}

const std::vector<at::Tensor>& pastOf(const DecoderOutput& output) {
  return dynamic_cast<const TorchScriptCache&>(*output.cache).past();
}

/// Meta tensors have no data. An operator that receives a CPU tensor as well, from a constant that was not remapped,
/// throws.
void runsOnMeta(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadTorchScriptEngine(arguments[0], ModelKind::kGeneration, c10::kMeta);
  const Inputs inputs = makeInputs(c10::kMeta, 3, 11, 5);

  const ForwardOutput full = engine->forward(inputs.inputIds, inputs.attentionMask, inputs.decoderInputIds, {});
  expect(full.logits.is_meta() && full.logits.dim() == 3 && full.logits.size(1) == 5, "logits [3, 5, V] on meta");
  expect(full.decoderLastHiddenState.is_meta(), "the decoder's hidden states on meta");

  const DecoderSource source = encodeSource(*engine, inputs);
  const at::Tensor& states = source.encoderOutput->lastHiddenState;
  expect(states.is_meta() && states.size(1) == 11, "encoder states [3, 11, D] on meta");

  DecoderOutput decoded = engine->prefill(inputs.decoderInputIds, source, {});
  expect(decoded.logits.is_meta() && !pastOf(decoded).empty(), "prefill on meta");
  const auto next = at::full({3, 1}, 7, inputs.inputIds.options());
  decoded = engine->step(next, decoded.cache, {});
  expect(decoded.logits.is_meta() && pastOf(decoded).at(0).size(2) == 6, "a step on meta, with a cache of 6 positions");
}

void remapsConstants(std::span<char*> arguments) {
  const torch::jit::Module module = readArchive(arguments[0], ModelKind::kGeneration);
  int changed = 0;
  for (const char* method : {"forward", "encode", "prefill", "step"}) {
    const auto graph = module.get_method(method).graph()->copy();
    torch::jit::Inline(*graph);
    changed += remapDeviceConstants(*graph, c10::kMeta);
    expect(remapDeviceConstants(*graph, c10::kMeta) == 0, "no constant left to remap");
  }
  expect(changed > 0, "device constants in a traced archive, or this test proves nothing");
}

void abortsAndRecovers(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadTorchScriptEngine(arguments[0], ModelKind::kGeneration, c10::kCPU);
  const Inputs small = makeInputs(c10::kCPU, 1, 8, 4);
  const at::Tensor before = forwardLogits(*engine, small);

  Cancellation cancellation;
  std::thread aborter([&] {
    std::this_thread::sleep_for(20ms);
    cancellation.request();
  });
  bool aborted = false;
  try {
    const CancellationScope scope(cancellation);
    // Many seconds of work unless it is aborted.
    for (int i = 0; i < 2000; ++i) forwardLogits(*engine, makeInputs(c10::kCPU, 16, 256, 64));
  } catch (...) {
    aborted = describeCurrentException().code() == ErrorCode::kAborted;
  }
  aborter.join();
  expect(aborted, "ERR_ABORTED from inside a forward pass");
  expect(at::equal(before, forwardLogits(*engine, small)), "the same bits after an abort");
}

void isDeterministic(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadTorchScriptEngine(arguments[0], ModelKind::kGeneration, c10::kCPU);
  for (const auto& [batch, source, target] : {std::array{1, 3, 2}, {4, 30, 9}, {2, 7, 1}}) {
    const Inputs inputs = makeInputs(c10::kCPU, batch, source, target);
    const at::Tensor first = forwardLogits(*engine, inputs);
    for (int call = 0; call < 3; ++call) expect(at::equal(first, forwardLogits(*engine, inputs)), "the same bits");
    expect(!first.requires_grad(), "no gradients");
  }
}

/// An error inside the interpreter has a code, and the engine is usable afterwards.
void recoversFromErrors(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadTorchScriptEngine(arguments[0], ModelKind::kGeneration, c10::kCPU);
  const Inputs good = makeInputs(c10::kCPU, 1, 8, 4);
  const at::Tensor before = forwardLogits(*engine, good);
  const auto codeOf = [&](const Inputs& bad) {
    try {
      forwardLogits(*engine, bad);
    } catch (...) {
      return describeCurrentException().code();
    }
    throw std::runtime_error("expected an error");
  };
  // The position bias of 2^20 x 2^20 positions takes terabytes.
  expect(codeOf(makeInputs(c10::kCPU, 1, 1 << 20, 1)) == ErrorCode::kOutOfMemory, "ERR_OUT_OF_MEMORY");
  Inputs outside = good;
  outside.inputIds = at::full_like(good.inputIds, 1 << 30);
  expect(codeOf(outside) == ErrorCode::kInternal, "ERR_INTERNAL for an id outside the vocabulary");
  expect(at::equal(before, forwardLogits(*engine, good)), "the same bits after an error");
}

void returnsSelectedLogits(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadTorchScriptEngine(arguments[0], ModelKind::kGeneration, c10::kCPU);
  const Inputs inputs = makeInputs(c10::kCPU, 2, 8, 4);
  const auto ids = [](std::initializer_list<std::int64_t> values) { return at::tensor(values, at::kLong); };
  const auto forward = [&](const LogitsSelection& selection) {
    return engine->forward(inputs.inputIds, inputs.attentionMask, inputs.decoderInputIds, selection);
  };

  const ForwardOutput all = forward({});
  expect(all.logits.size(-1) == engine->vocabSize(), "a logit for every token");
  const ForwardOutput some = forward({.positions = ids({3, 0}), .tokens = ids({9, 5, 9})});
  const at::Tensor selected = all.logits.index_select(1, ids({3, 0})).index_select(2, ids({9, 5, 9}));
  expect(at::equal(some.logits, selected), "the selected logits [2, 2, 3], in the selection's order");
  try {
    toLogitsSelection({.tokens = {{5, static_cast<std::int32_t>(engine->vocabSize())}}}, SharedEngine(*engine));
    expect(false, "an error for a token outside the vocabulary");
  } catch (const Error& error) {
    expect(error.code() == ErrorCode::kTokenOutOfRange, "ERR_TOKEN_OUT_OF_RANGE");
  }
  const ForwardOutput none = forward({.isEmpty = true});
  expect(!none.logits.defined(), "no logits");
  expect(at::equal(none.decoderLastHiddenState, all.decoderLastHiddenState), "hidden states without logits");

  const DecoderSource source = encodeSource(*engine, inputs);
  const DecoderOutput prefilled = engine->prefill(inputs.decoderInputIds, source, {.positions = ids({3})});
  expect(at::equal(prefilled.logits, all.logits.slice(1, 3)), "the last position's logits of a prefix");
  const at::Tensor next = at::full({2, 1}, 7, at::kLong);
  expect(!engine->step(next, prefilled.cache, {.isEmpty = true}).logits.defined(), "no logits of a step");
}

/// Decoded rows share source rows, in any order, and steps continue from any rows of the cache.
void sharesSourceRows(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadTorchScriptEngine(arguments[0], ModelKind::kGeneration, c10::kCPU);
  Inputs inputs = makeInputs(c10::kCPU, 2, 8, 3);
  inputs.inputIds.select(0, 1).fill_(11);
  inputs.attentionMask.select(0, 1).slice(0, 6).fill_(0);
  inputs.decoderInputIds = at::arange(5, 5 + 4 * 3, at::kLong).view({4, 3});

  const DecoderSource shared = repeatRows(encodeSource(*engine, inputs).encoderOutput, 2);
  const at::Tensor order = at::tensor({3, 0, 2}, at::kLong);
  const DecoderSource reordered = shared.select(order);
  expect(shared.batch() == 4 && at::equal(shared.rows, at::tensor({0, 0, 1, 1}, at::kLong)), "each row twice");
  expect(reordered.batch() == 3 && at::equal(reordered.rows, at::tensor({1, 0, 1}, at::kLong)),
         "selected rows of a source that already has rows");

  const EncoderOutput& encoderOutput = *shared.encoderOutput;
  const DecoderSource copied{
      std::make_shared<const EncoderOutput>(EncoderOutput{encoderOutput.inputIds.index_select(0, shared.rows),
                                                          encoderOutput.attentionMask.index_select(0, shared.rows),
                                                          encoderOutput.lastHiddenState.index_select(0, shared.rows)}),
      {}};
  const DecoderOutput one = engine->prefill(inputs.decoderInputIds, shared, {});
  const DecoderOutput other = engine->prefill(inputs.decoderInputIds, copied, {});
  expect(at::equal(one.logits, other.logits), "the same bits for a shared row and for its copies");

  const at::Tensor next = at::tensor({7, 8, 9}, at::kLong).view({3, 1});
  const DecoderOutput step = engine->step(next, one.cache->select(order), {});
  const DecoderOutput prefix = engine->prefill(at::cat({inputs.decoderInputIds.index_select(0, order), next}, 1),
                                               reordered, {.positions = at::tensor({3}, at::kLong)});
  expect(at::allclose(step.logits, prefix.logits, 1e-4, 1e-4), "a step from the selected rows of the cache");
}

constexpr std::array<test::Test, 7> kTests{{
    {"runs every method on the meta device, so no constant of another device is left", runsOnMeta},
    {"remaps the device constants of every method in one pass", remapsConstants},
    {"aborts a forward pass, and computes the same bits afterwards", abortsAndRecovers},
    {"is usable after errors inside the interpreter, running out of memory included", recoversFromErrors},
    {"returns the selected logits and no others", returnsSelectedLogits},
    {"decodes several rows of one source row", sharesSourceRows},
    {"computes the same bits at every call of a shape, the first included", isDeterministic},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
