#include "engine/forward.h"

#include <optional>
#include <utility>

#include "engine/encoding.h"
#include "engine/tensors.h"

namespace torch_t5 {

ForwardResult runForward(Engine& engine, const ForwardRequest& request, const Head* head) {
  const at::Device device = engine.device();
  const SourceIds& source = request.source;
  const auto [inputIds, attentionMask] = toTensors(source, device);
  const at::Tensor decoderInputIds = toTensor(request.decoderInputIds, source.batch, request.targetLength, device);
  at::Tensor labels;
  if (request.labels) labels = toTensor(*request.labels, source.batch, request.targetLength, device);
  const bool withLoss = request.loss && labels.defined();
  const bool needsAll = withLoss || (head != nullptr && head->readsLogits());
  LogitsSelection wanted = toLogitsSelection(request.selection, engine);
  wanted.any = head == nullptr;  // the head's output takes their place
  ForwardOutput output =
      engine.forward(inputIds, attentionMask, decoderInputIds, needsAll ? LogitsSelection{} : wanted);
  at::Tensor headOutput;
  if (head != nullptr) {
    headOutput =
        head->run({output.logits, output.encoderLastHiddenState, output.decoderLastHiddenState, attentionMask, labels});
  }
  std::optional<double> loss;
  if (withLoss) loss = crossEntropy(output.logits, labels);
  if (needsAll) output.logits = selectLogits(std::move(output.logits), wanted);
  ForwardResult result = reduce(std::move(output), wanted, request.selection);
  result.loss = loss;
  if (headOutput.defined()) result.headOutput = owned(std::move(headOutput), at::kFloat);
  return result;
}

}  // namespace torch_t5
