#include "core/requests.h"

#include <limits>

#include "core/errors.h"

namespace torch_t5 {
namespace {

/// The upper limit keeps products of two sizes within int64.
void expectPositive(const char* name, std::int64_t received) {
  if (received > 0 && received <= std::numeric_limits<std::int32_t>::max()) return;
  throw invalidArgument("a positive integer", name, received);
}

void check(const Selection& selection, std::int64_t targetLength) {
  if (selection.positions) expectIndices(*selection.positions, targetLength, "integers", "positions");
}

}  // namespace

void check(const DenseWeights& weights) {
  expectCount("weight", weights.weight.size(), weights.outputs, weights.inputs);
  if (weights.bias) expectCount("bias", weights.bias->size(), 1, weights.outputs);
}

void expectCount(const char* name, std::size_t received, std::int64_t rows, std::int64_t columns) {
  if (static_cast<std::int64_t>(received) == rows * columns) return;
  throw invalidArgument(std::to_string(rows) + " x " + std::to_string(columns) + " values", name,
                        static_cast<std::int64_t>(received));
}

void check(const SourceIds& source) {
  expectPositive("batch", source.batch);
  expectPositive("length", source.length);
  expectCount("inputIds", source.inputIds.size(), source.batch, source.length);
  if (source.attentionMask) expectCount("attentionMask", source.attentionMask->size(), source.batch, source.length);
}

void check(const ForwardRequest& request) {
  const std::int64_t batch = request.source.batch;
  expectPositive("targetLength", request.targetLength);
  expectCount("decoderInputIds", request.decoderInputIds.size(), batch, request.targetLength);
  if (request.labels) expectCount("labels", request.labels->size(), batch, request.targetLength);
  check(request.selection, request.targetLength);
}

void check(const ClassifyRequest& request) {
  if (request.decoderInputIds.has_value() != request.positions.has_value()) {
    throw invalidArgument("decoderInputIds and positions, or neither,", "the request", "one of them");
  }
  if (!request.positions) return;
  expectCount("decoderInputIds", request.decoderInputIds->size(), request.source.batch, request.source.length);
  expectCount("positions", request.positions->size(), request.source.batch, 1);
  expectIndices(*request.positions, request.source.length, "integers", "positions");
}

void check(const DecodeRequest& request) {
  expectPositive("batch", request.batch);
  expectPositive("targetLength", request.targetLength);
  expectCount("decoderInputIds", request.decoderInputIds.size(), request.batch, request.targetLength);
  if (request.rows) expectCount("rows", request.rows->size(), request.batch, 1);
  check(request.selection, request.targetLength);
}

void check(const ScoreRequest& request) {
  expectPositive("batchSize", request.batchSize);
  expectPositive("targets", static_cast<std::int64_t>(request.targetLengths.size()));
  std::int64_t total = 0;
  for (const std::int32_t length : request.targetLengths) {
    expectPositive("targetLengths", length);
    total += length;
  }
  expectCount("targetIds", request.targetIds.size(), total, 1);
}

}  // namespace torch_t5
