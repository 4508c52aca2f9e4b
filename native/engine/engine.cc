#include "engine/engine.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/repeat_interleave.h>

#include <utility>

#include "core/errors.h"

namespace torch_t5 {
namespace {

at::Tensor allRows(const EncoderOutput& encoderOutput) {
  return at::arange(encoderOutput.batch(), encoderOutput.inputIds.options().dtype(at::kLong));
}

}  // namespace

DecoderSource DecoderSource::select(const at::Tensor& rows) const {
  return {encoderOutput, at::index_select(this->rows.defined() ? this->rows : allRows(*encoderOutput), 0, rows)};
}

DecoderSource repeatRows(std::shared_ptr<const EncoderOutput> encoderOutput, std::int64_t count) {
  at::Tensor rows;
  if (count != 1) rows = at::repeat_interleave(allRows(*encoderOutput), count);
  return {std::move(encoderOutput), std::move(rows)};
}

void expectDecoder(bool hasDecoder) {
  if (!hasDecoder) throw invalidArgument("a model with a decoder", "the call", "an encoder");
}

void expectLmHead(bool hasLmHead) {
  if (!hasLmHead) throw invalidArgument("a model with a language-model head", "the call", "another");
}

void expectClassifier(bool isClassifier) {
  if (!isClassifier) throw invalidArgument("a model that classifies", "the call", "another");
}

at::Tensor Engine::classify(const at::Tensor&, const at::Tensor&, const Sentence&) {
  expectClassifier(false);
  return {};
}

void refuseLayers(const LogitsSelection& selection) {
  const LayerSelection& layers = selection.layers;
  if (layers.isEmpty()) return;
  const char* const name = layers.attentions ? "outputAttentions" : "outputHiddenStates";
  throw invalidArgument("a model with precision \"exact\"", name, "one with another precision");
}

at::Tensor selectLogits(at::Tensor logits, const LogitsSelection& selection) {
  if (selection.isEmpty) return {};
  if (selection.positions.defined()) logits = at::index_select(logits, 1, selection.positions);
  if (selection.tokens.defined()) logits = at::index_select(logits, -1, selection.tokens);
  return logits;
}

}  // namespace torch_t5
