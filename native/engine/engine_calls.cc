#include "engine/engine_calls.h"

#include <ATen/ops/argmax.h>

#include "core/errors.h"

namespace torch_t5 {
namespace {

void runCall(Engine& engine, EncodeCall& call) { call.output = engine.encode(call.inputIds, call.attentionMask); }

void runCall(Engine& engine, ForwardCall& call) {
  call.output = engine.forward(call.inputIds, call.attentionMask, call.decoderInputIds, call.selection);
}

void runCall(Engine& engine, DecodeCall& call) {
  call.output = call.cache ? engine.step(call.decoderInputIds, call.cache, call.selection)
                           : engine.prefill(call.decoderInputIds, call.source, call.selection);
  if (!call.choosesTokens) return;
  call.tokens = at::argmax(call.output.logits.squeeze(1), -1);
  call.output.logits.reset();
}

[[noreturn]] void runCall(Engine&, SharedGreedyCall&) {
  throw Error(ErrorCode::kInternal, "A shared search runs in passes that may have several calls");
}

void runCall(Engine& engine, GreedyCall& call) { call.output = engine.decodeGreedily(call.request); }

void runCall(Engine& engine, ClassifyCall& call) {
  call.output = engine.classify(call.inputIds, call.attentionMask, call.sentence);
}

std::int64_t positionsOf(const EncodeCall& call) { return call.inputIds.numel(); }
std::int64_t positionsOf(const ForwardCall& call) { return call.inputIds.numel() + call.decoderInputIds.numel(); }
std::int64_t positionsOf(const DecodeCall& call) {
  // The keys and values of the source's positions are computed before the first step.
  return call.decoderInputIds.numel() + (call.cache ? 0 : call.source.encoderOutput->inputIds.numel());
}
std::int64_t positionsOf(const SharedGreedyCall& call) { return static_cast<std::int64_t>(call.search.ids.size()); }
std::int64_t positionsOf(const GreedyCall& call) { return call.request.ids.numel() * call.request.maxTokens; }

std::int64_t positionsOf(const ClassifyCall& call) {
  return call.inputIds.numel() * (call.sentence.decoderInputIds.defined() ? 2 : 1);
}

}  // namespace

bool EngineCall::hasEnded() const {
  const auto* search = std::get_if<SharedGreedyCall>(&call);
  return search == nullptr || search->output.defined() || error != nullptr;
}

std::int64_t EngineCall::steps() const {
  const auto* search = std::get_if<SharedGreedyCall>(&call);
  return search == nullptr ? 1 : search->lastSteps;
}

bool EngineCall::isStep() const {
  if (const auto* search = std::get_if<SharedGreedyCall>(&call)) return search->run != nullptr;
  const auto* decode = std::get_if<DecodeCall>(&call);
  return decode != nullptr && decode->cache != nullptr;
}

std::int64_t EngineCall::positions() const {
  return std::visit([](const auto& known) { return positionsOf(known); }, call);
}

void Engine::runTogether(std::span<EngineCall* const> calls) {
  for (EngineCall* call : calls) run(*this, *call);
}

void run(Engine& engine, EngineCall& call) noexcept {
  try {
    std::visit([&](auto& known) { runCall(engine, known); }, call.call);
  } catch (...) {
    call.error = std::current_exception();
  }
}

}  // namespace torch_t5
