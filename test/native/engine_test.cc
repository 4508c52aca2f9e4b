// The scripted engine without Node, on a model.pt: `program name model.pt`.
#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/library.h>

#include <array>
#include <chrono>
#include <thread>

#include "engine/cancellation.h"
#include "engine/error_barrier.h"
#include "engine/scripted/archive.h"
#include "engine/scripted/device_constants.h"
#include "engine/scripted/scripted_engine.h"
#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;
using namespace std::chrono_literals;

// PyTorch has the shape functions of these operators in Python only.

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
  return engine.forward(inputs.inputIds, inputs.attentionMask, inputs.decoderInputIds).logits;
}

/// Meta tensors hold no data: an operator that meets a CPU tensor among them, from a constant that was left, refuses.
void runsOnMeta(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadScriptedEngine(arguments[0], c10::kMeta);
  const Inputs inputs = makeInputs(c10::kMeta, 3, 11, 5);

  const ForwardOutput full = engine->forward(inputs.inputIds, inputs.attentionMask, inputs.decoderInputIds);
  expect(full.logits.is_meta() && full.logits.dim() == 3 && full.logits.size(1) == 5, "logits [3, 5, V] on meta");
  expect(full.decoderLastHiddenState.is_meta(), "the decoder's hidden states on meta");

  const at::Tensor encoded = engine->encode(inputs.inputIds, inputs.attentionMask);
  expect(encoded.is_meta() && encoded.size(1) == 11, "encoder states [3, 11, D] on meta");

  DecoderOutput decoded = engine->prefill(inputs.decoderInputIds, encoded, inputs.attentionMask);
  expect(decoded.logits.is_meta() && !decoded.past.empty(), "prefill on meta");
  const auto next = at::full({3, 1}, 7, inputs.inputIds.options());
  decoded = engine->step(next, inputs.attentionMask, decoded.past);
  expect(decoded.logits.is_meta() && decoded.past.at(0).size(2) == 6, "a step on meta, with a cache of 6 positions");
}

void remapsConstants(std::span<char*> arguments) {
  const torch::jit::Module module = readArchive(arguments[0]);
  int changed = 0;
  for (const char* method : {"forward", "encode", "prefill", "step"}) {
    const auto graph = module.get_method(method).graph()->copy();
    torch::jit::Inline(*graph);
    changed += remapDeviceConstants(*graph, c10::kMeta);
    expect(remapDeviceConstants(*graph, c10::kMeta) == 0, "no constant left to change");
  }
  expect(changed > 0, "a traced archive to hold device constants: else this test shows nothing");
}

void abortsAndRecovers(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadScriptedEngine(arguments[0], c10::kCPU);
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
    // Many seconds of work, were it not aborted.
    for (int i = 0; i < 2000; ++i) forwardLogits(*engine, makeInputs(c10::kCPU, 16, 256, 64));
  } catch (...) {
    aborted = describeCurrentException().code() == ErrorCode::kAborted;
  }
  aborter.join();
  expect(aborted, "ERR_ABORTED from inside a forward pass");
  expect(at::equal(before, forwardLogits(*engine, small)), "the same bits after an abort");
}

void repeatsItself(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadScriptedEngine(arguments[0], c10::kCPU);
  for (const auto& [batch, source, target] : {std::array{1, 3, 2}, {4, 30, 9}, {2, 7, 1}}) {
    const Inputs inputs = makeInputs(c10::kCPU, batch, source, target);
    const at::Tensor first = forwardLogits(*engine, inputs);
    for (int call = 0; call < 3; ++call) expect(at::equal(first, forwardLogits(*engine, inputs)), "the same bits");
    expect(!first.requires_grad(), "no gradients");
  }
}

/// What goes wrong inside the interpreter is an error with a code, and the engine goes on.
void survivesErrors(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const auto engine = loadScriptedEngine(arguments[0], c10::kCPU);
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
  // The bias of 2^20 x 2^20 positions: terabytes.
  expect(codeOf(makeInputs(c10::kCPU, 1, 1 << 20, 1)) == ErrorCode::kOutOfMemory, "ERR_OUT_OF_MEMORY");
  Inputs outside = good;
  outside.inputIds = at::full_like(good.inputIds, 1 << 30);
  expect(codeOf(outside) == ErrorCode::kInternal, "ERR_INTERNAL for an id that no embedding has");
  expect(at::equal(before, forwardLogits(*engine, good)), "the same bits after an error");
}

constexpr std::array<test::Test, 5> kTests{{
    {"runs every method on the meta device: no device constant is left", runsOnMeta},
    {"remaps the device constants of every method, and finds none twice", remapsConstants},
    {"ends a forward pass that is aborted, and computes the same bits afterwards", abortsAndRecovers},
    {"survives errors inside the interpreter, memory that runs out among them", survivesErrors},
    {"gives the same bits at every call of a shape, the first included", repeatsItself},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
