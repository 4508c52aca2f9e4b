#include "engine/reductions.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/take.h>
#include <ATen/ops/topk.h>
#include <c10/core/ScalarType.h>

#include <string>

#include "engine/tensors.h"
#include "errors.h"

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

double crossEntropy(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(logits.view({-1, logits.size(-1)}), labels.view(-1), /*weight=*/{}, at::Reduction::Mean,
                                kIgnoredLabel)
      .item<float>();
}

}  // namespace

ForwardResult reduce(ForwardOutput full, const at::Tensor& labels, const Selection& selection) {
  ForwardResult result;
  at::Tensor logits = std::move(full.logits);
  if (labels.defined()) result.loss = crossEntropy(logits, labels);
  if (selection.hiddenStates) {
    if (full.encoderLastHiddenState.defined())
      result.encoderLastHiddenState = owned(std::move(full.encoderLastHiddenState), at::kFloat);
    result.decoderLastHiddenState = owned(std::move(full.decoderLastHiddenState), at::kFloat);
  }
  if (selection.positions) {
    logits = at::index_select(logits, 1, toTensor(*selection.positions, logits.device()));
  }
  at::Tensor tokens;
  if (selection.tokens) {
    checkTokens(*selection.tokens, logits.size(-1));
    tokens = toTensor(*selection.tokens, logits.device());
    logits = at::index_select(logits, -1, tokens);
  }
  if (selection.topK == 0) {
    result.logits = owned(std::move(logits), at::kFloat);
    return result;
  }
  if (selection.topK > logits.size(-1)) {
    throw Error(ErrorCode::kInvalidArgument, "Expected at most " + std::to_string(logits.size(-1)) +
                                                 " for topK but received " + std::to_string(selection.topK));
  }
  auto [values, indices] = at::topk(logits, selection.topK);
  if (tokens.defined()) indices = at::take(tokens, indices);
  result.values = owned(std::move(values), at::kFloat);
  result.indices = owned(std::move(indices), at::kInt);
  return result;
}

}  // namespace torch_t5
