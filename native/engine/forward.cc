#include "engine/forward.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>

namespace torch_t5 {
namespace {

/// int64 [rows, columns] on the engine's device; a copy.
at::Tensor toTensor(const std::vector<std::int32_t>& ids, std::int64_t rows, std::int64_t columns,
                    const at::Device& device) {
  return at::from_blob(const_cast<std::int32_t*>(ids.data()), {rows, columns}, at::kInt).to(device, at::kLong);
}

}  // namespace

ForwardResult runForward(Engine& engine, const ForwardRequest& request) {
  const at::Device device = engine.device();
  const at::Tensor inputIds = toTensor(request.inputIds, request.batch, request.sourceLength, device);
  const at::Tensor attentionMask = request.attentionMask
                                       ? toTensor(*request.attentionMask, request.batch, request.sourceLength, device)
                                       : at::ones({request.batch, request.sourceLength}, inputIds.options());
  const at::Tensor decoderInputIds = toTensor(request.decoderInputIds, request.batch, request.targetLength, device);
  at::Tensor labels;
  if (request.labels) labels = toTensor(*request.labels, request.batch, request.targetLength, device);
  return reduce(engine.forward(inputIds, attentionMask, decoderInputIds), labels, request.selection);
}

}  // namespace torch_t5
