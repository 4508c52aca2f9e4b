#include "runtime/model_runner.h"

#include <utility>

namespace torch_t5 {

ModelRunner::ModelRunner(LoadOptions options) : options_(std::move(options)), thread_(options_.maxQueueLength) {}

void ModelRunner::load(Settle<ModelInfo> settle) {
  thread_.post({
      .run = [this, settle] { settle(outcomeOf<ModelInfo>([this] { return loadEngine(); })); },
      .fail = [settle](const Error& error) { settle(error); },
  });
}

ModelInfo ModelRunner::loadEngine() {
  useInterOpThreads(options_.interOpThreads);
  useIntraOpThreads(options_.intraOpThreads);
  const c10::InferenceMode inferenceMode;
  loaded_ = torch_t5::loadEngine(options_);
  return {loaded_.engine->device().str(), resolveIntraOpThreads(options_.intraOpThreads)};
}

bool ModelRunner::dispose(std::function<void()> disposed) {
  return thread_.close([this, disposed = std::move(disposed)] {
    loaded_.engine.reset();
    disposed();
  });
}

}  // namespace torch_t5
