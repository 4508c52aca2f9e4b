#include "types.h"

#include <limits>

#include "errors.h"

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

}  // namespace

void check(const ForwardRequest& request) {
  expectSize("batch", request.batch);
  expectSize("sourceLength", request.sourceLength);
  expectSize("targetLength", request.targetLength);
  expectLength("inputIds", request.inputIds.size(), request.batch, request.sourceLength);
  expectLength("decoderInputIds", request.decoderInputIds.size(), request.batch, request.targetLength);
  if (request.attentionMask) {
    expectLength("attentionMask", request.attentionMask->size(), request.batch, request.sourceLength);
  }
  if (request.labels) expectLength("labels", request.labels->size(), request.batch, request.targetLength);
  if (request.selection.positions) {
    for (const std::int32_t position : *request.selection.positions) {
      if (position >= 0 && position < request.targetLength) continue;
      throw Error(ErrorCode::kInvalidArgument, "Expected integers from 0 to " +
                                                   std::to_string(request.targetLength - 1) +
                                                   " for positions but received " + std::to_string(position));
    }
  }
  if (request.selection.topK < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected an integer of at least 0 for topK but received " + std::to_string(request.selection.topK));
  }
}

}  // namespace torch_t5
