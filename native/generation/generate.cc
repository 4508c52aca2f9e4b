#include "generation/generate.h"

#include <string>

#include "core/errors.h"
#include "engine/tensors.h"

namespace torch_t5 {

std::unique_ptr<Search> startSearch(Engine& engine, const GenerateRequest& request) {
  std::shared_ptr<const EncoderOutput> source = encodeIfNeeded(engine, request.source);
  const std::int64_t rows = source->batch();
  if (request.targetLength < 1 ||
      static_cast<std::int64_t>(request.decoderInputIds.size()) != rows * request.targetLength) {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected " + std::to_string(rows) + " x " + std::to_string(request.targetLength) +
                    " values for decoderInputIds but received " + std::to_string(request.decoderInputIds.size()));
  }
  const at::Tensor ids = toTensor(request.decoderInputIds, rows, request.targetLength, engine.device());
  return makeSearch({std::move(source), ids, request.options, request.texts});
}

GenerateResult runGenerate(Engine& engine, const GenerateRequest& request) {
  const std::unique_ptr<Search> search = startSearch(engine, request);
  while (!search->done()) search->advance(engine);
  return search->finish();
}

}  // namespace torch_t5
