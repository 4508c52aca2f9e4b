#include "core/requests.h"

#include <limits>

#include "core/errors.h"

namespace torch_t5 {
namespace {

void expectLength(const char* name, std::size_t received, std::int64_t batch, std::int64_t length) {
  if (static_cast<std::int64_t>(received) == batch * length) return;
  throw Error(ErrorCode::kInvalidArgument, "Expected " + std::to_string(batch) + " x " + std::to_string(length) +
                                               " values for " + name + " but received " + std::to_string(received));
}

void expectSize(const char* name, std::int64_t received) {
  if (received > 0 && received <= std::numeric_limits<std::int32_t>::max()) return;
  throw Error(ErrorCode::kInvalidArgument,
              std::string("Expected a positive integer for ") + name + " but received " + std::to_string(received));
}

void check(const Selection& selection, std::int64_t targetLength) {
  if (selection.positions) {
    for (const std::int32_t position : *selection.positions) {
      if (position >= 0 && position < targetLength) continue;
      throw Error(ErrorCode::kInvalidArgument, "Expected integers from 0 to " + std::to_string(targetLength - 1) +
                                                   " for positions but received " + std::to_string(position));
    }
  }
  if (selection.topK < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected an integer of at least 0 for topK but received " + std::to_string(selection.topK));
  }
}

}  // namespace

void check(const SourceIds& source) {
  expectSize("batch", source.batch);
  expectSize("length", source.length);
  expectLength("inputIds", source.inputIds.size(), source.batch, source.length);
  if (source.attentionMask) {
    expectLength("attentionMask", source.attentionMask->size(), source.batch, source.length);
  }
}

void check(const ForwardRequest& request) {
  check(request.source);
  const std::int64_t batch = request.source.batch;
  expectSize("targetLength", request.targetLength);
  expectLength("decoderInputIds", request.decoderInputIds.size(), batch, request.targetLength);
  if (request.labels) expectLength("labels", request.labels->size(), batch, request.targetLength);
  check(request.selection, request.targetLength);
}

void check(const DecodeRequest& request) {
  expectSize("batch", request.batch);
  expectSize("targetLength", request.targetLength);
  expectLength("decoderInputIds", request.decoderInputIds.size(), request.batch, request.targetLength);
  if (request.rows) expectLength("rows", request.rows->size(), request.batch, 1);
  check(request.selection, request.targetLength);
}

void check(const ScoreRequest& request) {
  expectSize("batchSize", request.batchSize);
  expectSize("targets", static_cast<std::int64_t>(request.targetLengths.size()));
  std::int64_t total = 0;
  for (const std::int32_t length : request.targetLengths) {
    expectSize("targetLengths", length);
    total += length;
  }
  expectLength("targetIds", request.targetIds.size(), total, 1);
}

}  // namespace torch_t5
