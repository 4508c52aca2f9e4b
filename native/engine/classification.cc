#include "engine/classification.h"

#include <utility>

#include "core/errors.h"
#include "engine/encoding.h"
#include "engine/result_copies.h"
#include "engine/tensors.h"

namespace torch_t5 {

at::Tensor ClassificationHead::apply(at::Tensor rows, bool isBatchInvariant) const {
  for (const Dense& layer : layers_) rows = applyDense(layer, rows, isBatchInvariant);
  return rows;
}

at::Tensor classifyStates(Engine& engine, const std::optional<ClassificationHead>& head, const at::Tensor& inputIds,
                          const at::Tensor& attentionMask, const Sentence& sentence) {
  expectClassifier(head.has_value());
  const bool isInvariant = engine.isBatchInvariant();
  if (sentence.positions.defined()) {
    LogitsSelection noLogits;
    noLogits.isEmpty = true;
    const ForwardOutput output = engine.forward(inputIds, attentionMask, sentence.decoderInputIds, noLogits);
    return head->apply(statesAt(output.decoderLastHiddenState, sentence.positions), isInvariant);
  }
  const at::Tensor states = engine.encode(inputIds, attentionMask);
  const at::Tensor logits = head->apply(states.flatten(0, 1), isInvariant);
  return logits.view({states.size(0), states.size(1), logits.size(1)});
}

Task<at::Tensor> runClassify(SharedEngine& engine, std::shared_ptr<const ClassifyRequest> shared) {
  const ClassifyRequest& request = *shared;
  const at::Device device = engine.device();
  const SourceTensors ids = toTensors(request.source, device);
  Sentence sentence;
  if (request.decoderInputIds) {
    sentence.decoderInputIds = toTensor(*request.decoderInputIds, request.source.batch, request.source.length, device);
    sentence.positions = toTensor(*request.positions, device);
  }
  at::Tensor logits = co_await engine.classify(ids.inputIds, ids.attentionMask, sentence);
  co_return owned(std::move(logits), at::kFloat);
}

}  // namespace torch_t5
