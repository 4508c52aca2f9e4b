// What the tests of engines share: models with random weights, random inputs, and comparisons.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cancellation.h"
#include "core/errors.h"
#include "core/requests.h"
#include "engine/engine.h"
#include "harness.h"
#include "weights/weights.h"

namespace torch_t5::test {

/// The architecture in models/demo/config.json.
inline Architecture demoArchitecture() {
  Architecture demo;
  demo.dModel = 128;
  demo.dKv = 32;
  demo.dFf = 256;
  demo.numLayers = 3;
  demo.numDecoderLayers = 2;
  demo.numHeads = 4;
  demo.vocabSize = 399;
  demo.relativeAttentionNumBuckets = 32;
  demo.relativeAttentionMaxDistance = 128;
  demo.layerNormEpsilon = 1e-6;
  demo.scalesDecoderOutputs = true;
  return demo;
}

inline AttentionWeights randomAttention(const Architecture& shape, bool hasBias) {
  const std::int64_t innerDim = shape.numHeads * shape.dKv;
  const auto matrix = [](std::int64_t rows, std::int64_t columns) { return at::randn({rows, columns}) * 0.1; };
  AttentionWeights weights;
  weights.norm = at::rand({shape.dModel}) + 0.5;
  weights.query = matrix(innerDim, shape.dModel);
  weights.key = matrix(innerDim, shape.dModel);
  weights.value = matrix(innerDim, shape.dModel);
  weights.output = matrix(shape.dModel, innerDim);
  if (hasBias) weights.bias = at::randn({shape.relativeAttentionNumBuckets, shape.numHeads});
  return weights;
}

inline StackWeights randomStack(const Architecture& shape, std::int64_t layers) {
  StackWeights stack;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    LayerWeights& weights = stack.layers.emplace_back();
    weights.self = randomAttention(shape, layer == 0 || shape.hasBiasPerLayer);
    weights.cross = randomAttention(shape, /*hasBias=*/false);
    weights.feedForward.norm = at::rand({shape.dModel}) + 0.5;
    weights.feedForward.gate = at::randn({shape.dFf, shape.dModel}) * 0.1;
    if (shape.isGated) weights.feedForward.up = at::randn({shape.dFf, shape.dModel}) * 0.1;
    weights.feedForward.output = at::randn({shape.dModel, shape.dFf}) * 0.1;
  }
  stack.norm = at::rand({shape.dModel}) + 0.5;
  return stack;
}

inline Weights randomWeights(const Architecture& shape, bool isTied) {
  Weights weights;
  weights.embedding = at::randn({shape.vocabSize, shape.dModel});
  weights.lmHead = isTied ? weights.embedding : WeightMatrix(at::randn({shape.vocabSize, shape.dModel}) * 0.1);
  weights.encoder = randomStack(shape, shape.numLayers);
  weights.decoder = randomStack(shape, shape.numDecoderLayers);
  return weights;
}

/// The same weights without the decoder's.
inline Weights encoderOf(Weights weights) {
  weights.lmHead = WeightMatrix();
  weights.decoder = StackWeights();
  return weights;
}

/// The same weights with the head of a classifier instead of lm_head: of texts, or without the decoder of tokens.
inline Weights classifierOf(Weights weights, bool isOfTexts, std::int64_t labels) {
  const std::int64_t width = weights.embedding.columns();
  const auto linear = [&](std::int64_t outputs) {
    return LinearWeights{at::randn({outputs, width}) * 0.1, at::randn({outputs})};
  };
  if (!isOfTexts) weights = encoderOf(std::move(weights));
  weights.lmHead = WeightMatrix();
  weights.classifier = isOfTexts ? std::vector{linear(width), linear(labels)} : std::vector{linear(labels)};
  return weights;
}

struct Inputs {
  at::Tensor inputIds;
  at::Tensor attentionMask;
  at::Tensor decoderInputIds;
};

inline at::Tensor randomIds(std::int64_t rows, std::int64_t length, std::int64_t vocabSize) {
  return at::randint(1, vocabSize, {rows, length}, at::kLong);
}

/// Masks of five kinds in turn: row 0 is full, row 1 ends early, row 2 starts late, row 3 has gaps, row 4 masks
/// everything.
inline Inputs randomInputs(std::int64_t batch, std::int64_t sourceLength, std::int64_t targetLength,
                           std::int64_t vocabSize) {
  at::Tensor mask = at::ones({batch, sourceLength}, at::kLong);
  for (std::int64_t row = 0; row < batch; ++row) {
    at::Tensor kept = mask[row];
    if (row % 5 == 1) kept.slice(0, (sourceLength + 1) / 2).fill_(0);
    if (row % 5 == 2) kept.slice(0, 0, sourceLength / 2).fill_(0);
    if (row % 5 == 3) kept.slice(0, 1, sourceLength, 3).fill_(0);
    if (row % 5 == 4) kept.fill_(0);
  }
  return {randomIds(batch, sourceLength, vocabSize), mask, randomIds(batch, targetLength, vocabSize)};
}

inline void expectClose(const at::Tensor& received, const at::Tensor& expected, double tolerance,
                        const std::string& what) {
  expect(received.sizes() == expected.sizes() && received.scalar_type() == at::kFloat, "the shape and type of " + what);
  const double difference = (received - expected).abs().max().item<double>();
  expect(difference <= tolerance, what + ", but they differ by " + std::to_string(difference));
}

/// Whether a call whose cancellation was requested throws ERR_ABORTED.
inline bool isAborted(const std::function<void()>& call) {
  Cancellation cancellation;
  cancellation.request();
  const CancellationScope scope(cancellation);
  try {
    call();
  } catch (const Error& error) {
    return error.code() == ErrorCode::kAborted;
  }
  return false;
}

/// `decode` on an engine that no other request uses.
inline DecoderOutput decode(Engine& engine, DecoderState& state, const at::Tensor& ids,
                            const LogitsSelection& selection) {
  return runAlone(engine, [&](SharedEngine& shared) { return torch_t5::decode(shared, state, ids, selection); });
}

/// Whether a call throws ERR_INVALID_ARGUMENT.
inline bool isRefused(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code() == ErrorCode::kInvalidArgument;
  }
  return false;
}

/// Fails unless the engine of an encoder refuses what needs a decoder, and still encodes.
inline void expectEncoderAlone(Engine& engine, const Inputs& inputs) {
  const at::Tensor states = engine.encode(inputs.inputIds, inputs.attentionMask);
  const DecoderSource source{
      std::make_shared<const EncoderOutput>(EncoderOutput{inputs.inputIds, inputs.attentionMask, states}), {}};
  expect(isRefused([&] { engine.forward(inputs.inputIds, inputs.attentionMask, inputs.decoderInputIds, {}); }),
         "a forward pass is refused without a decoder");
  expect(isRefused([&] { engine.prefill(inputs.decoderInputIds, source, {}); }),
         "a prefix is refused without a decoder");
  expect(at::equal(engine.encode(inputs.inputIds, inputs.attentionMask), states), "the same states afterwards");
}

}  // namespace torch_t5::test
