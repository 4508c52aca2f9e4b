#include "engine/shared_engine.h"

namespace torch_t5 {

class SharedEngine::Pass {
 public:
  Pass(SharedEngine& engine, EngineCall& call) : engine_(engine), call_(call) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept {
    engine_.pending_ = &call_;
    engine_.waiting_ = waiting;
  }
  void await_resume() const {
    if (call_.error) std::rethrow_exception(call_.error);
  }

 private:
  SharedEngine& engine_;
  EngineCall& call_;
};

Task<at::Tensor> SharedEngine::encode(at::Tensor inputIds, at::Tensor attentionMask) {
  EngineCall call{EncodeCall{std::move(inputIds), std::move(attentionMask), {}}, {}};
  co_await Pass(*this, call);
  co_return std::move(std::get<EncodeCall>(call.call).output);
}

Task<ForwardOutput> SharedEngine::forward(at::Tensor inputIds, at::Tensor attentionMask, at::Tensor decoderInputIds,
                                          LogitsSelection selection) {
  EngineCall call{
      ForwardCall{std::move(inputIds), std::move(attentionMask), std::move(decoderInputIds), std::move(selection), {}},
      {}};
  co_await Pass(*this, call);
  co_return std::move(std::get<ForwardCall>(call.call).output);
}

Task<DecodeCall> SharedEngine::decode(DecodeCall decodeCall) {
  EngineCall call{std::move(decodeCall), {}};
  co_await Pass(*this, call);
  co_return std::move(std::get<DecodeCall>(call.call));
}

Task<std::optional<at::Tensor>> SharedEngine::decodeGreedily(const GreedyRequest& request) {
  EngineCall call{GreedyCall{request, {}}, {}};
  co_await Pass(*this, call);
  co_return std::move(std::get<GreedyCall>(call.call).output);
}

Task<at::Tensor> SharedEngine::searchGreedily(const GreedySearch& search) {
  EngineCall call{SharedGreedyCall{search, {}, 0, {}}, {}};
  co_await Pass(*this, call);
  co_return std::move(std::get<SharedGreedyCall>(call.call).output);
}

Task<at::Tensor> SharedEngine::classify(at::Tensor inputIds, at::Tensor attentionMask, Sentence sentence) {
  EngineCall call{ClassifyCall{std::move(inputIds), std::move(attentionMask), std::move(sentence), {}}, {}};
  co_await Pass(*this, call);
  co_return std::move(std::get<ClassifyCall>(call.call).output);
}

class SharedEngine::CreditPause {
 public:
  CreditPause(SharedEngine& engine, const Credit& credit) : engine_(engine), credit_(credit) {}

  bool await_ready() const noexcept { return credit_.isLeft(); }
  void await_suspend(std::coroutine_handle<> waiting) noexcept {
    engine_.credit_ = &credit_;
    engine_.waiting_ = waiting;
  }
  void await_resume() const {
    if (engine_.creditError_) std::rethrow_exception(std::exchange(engine_.creditError_, nullptr));
  }

 private:
  SharedEngine& engine_;
  const Credit& credit_;
};

Task<bool> SharedEngine::spend(Credit& credit) {
  co_await CreditPause(*this, credit);
  if (credit.isClosed()) co_return false;
  credit.spend();
  co_return true;
}

void SharedEngine::resume() {
  pending_ = nullptr;
  credit_ = nullptr;
  std::exchange(waiting_, {}).resume();
}

void SharedEngine::fail(std::exception_ptr error) {
  (pending_ != nullptr ? pending_->error : creditError_) = std::move(error);
  resume();
}

}  // namespace torch_t5
