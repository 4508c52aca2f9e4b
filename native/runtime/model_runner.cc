#include "runtime/model_runner.h"

#include <utility>

namespace torch_t5 {

ModelRunner::ModelRunner(LoadOptions options) : options_(std::move(options)), thread_(options_.maxQueueLength) {}

void ModelRunner::load(Callback<ModelInfo> callback) {
  thread_.post({
      .run = [this, callback] { callback(outcomeOf<ModelInfo>([this] { return loadEngine(); })); },
      .fail = [callback](const Error& error) { callback(error); },
  });
}

ModelInfo ModelRunner::loadEngine() {
  setInterOpThreads(options_.interOpThreads);
  setIntraOpThreads(options_.intraOpThreads);
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
