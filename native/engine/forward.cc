#include "engine/forward.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/take.h>
#include <ATen/ops/topk.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <utility>
#include <vector>

#include "core/errors.h"
#include "engine/encoding.h"
#include "engine/result_copies.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

constexpr std::int64_t kIgnoredLabel = -100;

/// Hugging Face's loss: mean cross entropy over all positions, -100 ignored. `logits`: [B, T, V]; `labels`: [B, T].
double crossEntropy(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(logits.view({-1, logits.size(-1)}), labels.view(-1), /*weight=*/{}, at::Reduction::Mean,
                                kIgnoredLabel)
      .item<float>();
}

}  // namespace

Task<ForwardResult> runForward(SharedEngine& engine, std::shared_ptr<const ForwardRequest> shared,
                               std::shared_ptr<const Head> head) {
  const ForwardRequest& request = *shared;
  const at::Device device = engine.device();
  const SourceIds& source = request.source;
  const SourceTensors ids = toTensors(source, device);
  const at::Tensor decoderInputIds = toTensor(request.decoderInputIds, source.batch, request.targetLength, device);
  at::Tensor labels;
  if (request.labels) labels = toTensor(*request.labels, source.batch, request.targetLength, device);
  const bool computesLoss = request.loss && labels.defined();
  const bool needsAllLogits = computesLoss || (head != nullptr && head->readsLogits());
  LogitsSelection logitsSelection = toLogitsSelection(request.selection, engine);
  logitsSelection.isEmpty = head != nullptr;
  logitsSelection.needsStates = logitsSelection.needsStates || head != nullptr;
  LogitsSelection computed = logitsSelection;
  if (needsAllLogits) {
    computed = {};
    computed.layers = logitsSelection.layers;
  }
  ForwardOutput output = co_await engine.forward(ids.inputIds, ids.attentionMask, decoderInputIds, computed);
  at::Tensor headOutput;
  if (head != nullptr) {
    headOutput = head->run(
        {output.logits, output.encoderLastHiddenState, output.decoderLastHiddenState, ids.attentionMask, labels});
  }
  std::optional<double> loss;
  if (computesLoss) loss = crossEntropy(output.logits, labels);
  if (needsAllLogits) output.logits = selectLogits(std::move(output.logits), logitsSelection);
  ForwardResult result = reduce(std::move(output), logitsSelection, request.selection);
  result.loss = loss;
  if (headOutput.defined()) result.headOutput = owned(std::move(headOutput), at::kFloat);
  co_return std::move(result);
}

LogitsSelection toLogitsSelection(const Selection& selection, const SharedEngine& engine) {
  LogitsSelection logitsSelection;
  logitsSelection.layers = {selection.outputHiddenStates, selection.outputAttentions};
  logitsSelection.needsStates = selection.hiddenStates;
  if (selection.positions) logitsSelection.positions = toTensor(*selection.positions, engine.device());
  if (selection.tokens) {
    expectIndices(*selection.tokens, engine.vocabSize(), "ids", "tokens", ErrorCode::kTokenOutOfRange);
    logitsSelection.tokens = toTensor(*selection.tokens, engine.device());
  }
  return logitsSelection;
}

namespace {

void addAll(ResultCopies& copies, std::vector<at::Tensor>& tensors) {
  for (at::Tensor& tensor : tensors) tensor = copies.add(std::move(tensor), at::kFloat);
}

LayerOutputs copyLayers(LayerOutputs layers, const LayerSelection& selection, ResultCopies& copies) {
  if (!selection.hiddenStates) {
    layers.encoderHiddenStates.clear();
    layers.decoderHiddenStates.clear();
  }
  for (auto* tensors : {&layers.encoderHiddenStates, &layers.decoderHiddenStates, &layers.encoderAttentions,
                        &layers.decoderAttentions, &layers.crossAttentions})
    addAll(copies, *tensors);
  return layers;
}

}  // namespace

ForwardResult reduce(ForwardOutput output, const LogitsSelection& logitsSelection, const Selection& selection) {
  ForwardResult result;
  ResultCopies copies;
  at::Tensor logits = std::move(output.logits);
  if (selection.hiddenStates) {
    if (output.encoderLastHiddenState.defined())
      result.encoderLastHiddenState = copies.add(std::move(output.encoderLastHiddenState), at::kFloat);
    result.decoderLastHiddenState = copies.add(std::move(output.decoderLastHiddenState), at::kFloat);
  }
  output.encoderLastHiddenState.reset();
  output.decoderLastHiddenState.reset();
  result.layers = copyLayers(std::move(output.layers), logitsSelection.layers, copies);
  if (logits.defined() && selection.topK == 0) {
    result.logits = copies.add(std::move(logits), at::kFloat);
  } else if (logits.defined()) {
    if (selection.topK > logits.size(-1))
      throw invalidArgument("at most " + std::to_string(logits.size(-1)), "topK", selection.topK);
    auto [values, indices] = at::topk(logits, selection.topK);
    if (logitsSelection.tokens.defined()) indices = at::take(logitsSelection.tokens, indices);
    result.values = copies.add(std::move(values), at::kFloat);
    result.indices = copies.add(std::move(indices), at::kInt);
  }
  copies.wait();
  return result;
}

}  // namespace torch_t5
