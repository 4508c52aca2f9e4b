#include "engine/reductions.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/take.h>
#include <ATen/ops/topk.h>
#include <c10/core/ScalarType.h>

#include <string>

#include "core/errors.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

constexpr std::int64_t kIgnoredLabel = -100;

void checkTokens(const std::vector<std::int32_t>& tokens, std::int64_t vocabSize) {
  for (const std::int32_t token : tokens) {
    if (token >= 0 && token < vocabSize) continue;
    throw Error(ErrorCode::kTokenOutOfRange, "Expected ids from 0 to " + std::to_string(vocabSize - 1) +
                                                 " for tokens but received " + std::to_string(token));
  }
}

}  // namespace

LogitsSelection toLogitsSelection(const Selection& selection, const Engine& engine) {
  LogitsSelection wanted;
  if (selection.positions) wanted.positions = toTensor(*selection.positions, engine.device());
  if (selection.tokens) {
    checkTokens(*selection.tokens, engine.vocabSize());
    wanted.tokens = toTensor(*selection.tokens, engine.device());
  }
  return wanted;
}

at::Tensor selectLogits(at::Tensor logits, const LogitsSelection& wanted) {
  if (!wanted.any) return {};
  if (wanted.positions.defined()) logits = at::index_select(logits, 1, wanted.positions);
  if (wanted.tokens.defined()) logits = at::index_select(logits, -1, wanted.tokens);
  return logits;
}

double crossEntropy(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(logits.view({-1, logits.size(-1)}), labels.view(-1), /*weight=*/{}, at::Reduction::Mean,
                                kIgnoredLabel)
      .item<float>();
}

ForwardResult reduce(ForwardOutput output, const LogitsSelection& wanted, const Selection& selection) {
  ForwardResult result;
  at::Tensor logits = std::move(output.logits);
  if (selection.hiddenStates) {
    if (output.encoderLastHiddenState.defined())
      result.encoderLastHiddenState = owned(std::move(output.encoderLastHiddenState), at::kFloat);
    result.decoderLastHiddenState = owned(std::move(output.decoderLastHiddenState), at::kFloat);
  }
  if (!logits.defined()) return result;
  if (selection.topK == 0) {
    result.logits = owned(std::move(logits), at::kFloat);
    return result;
  }
  if (selection.topK > logits.size(-1)) {
    throw Error(ErrorCode::kInvalidArgument, "Expected at most " + std::to_string(logits.size(-1)) +
                                                 " for topK but received " + std::to_string(selection.topK));
  }
  auto [values, indices] = at::topk(logits, selection.topK);
  if (wanted.tokens.defined()) indices = at::take(wanted.tokens, indices);
  result.values = owned(std::move(values), at::kFloat);
  result.indices = owned(std::move(indices), at::kInt);
  return result;
}

}  // namespace torch_t5
