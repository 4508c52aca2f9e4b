#include "engine/forward.h"

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
  ForwardOutput output = engine.forward(inputIds, attentionMask, decoderInputIds);
  at::Tensor headOutput;
  if (head != nullptr) {
    headOutput =
        head->run({output.logits, output.encoderLastHiddenState, output.decoderLastHiddenState, attentionMask, labels});
  }
  const bool withLoss = request.loss && labels.defined();
  ForwardResult result = reduce(std::move(output), withLoss ? labels : at::Tensor(), request.selection);
  if (headOutput.defined()) {
    result.logits.reset();
    result.headOutput = owned(std::move(headOutput), at::kFloat);
  }
  return result;
}

}  // namespace torch_t5
