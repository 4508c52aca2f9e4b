#include "runtime/model_runner.h"

#include <utility>

#include "engine/device.h"
#include "engine/scripted/scripted_engine.h"
#include "errors.h"

namespace torch_t5 {

ModelRunner::ModelRunner(LoadOptions options) : options_(std::move(options)), thread_(options_.maxQueueLength) {}

void ModelRunner::load(Settle<ModelInfo> settle) {
  thread_.post({
      .run = [this, settle] { settle(outcomeOf<ModelInfo>([this] { return loadEngine(); })); },
      .fail = [settle](const Error& error) { settle(error); },
  });
}

ModelInfo ModelRunner::loadEngine() {
  if (options_.precision != Precision::kExact) {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected \"exact\", the only one in this version, for precision but received another");
  }
  useInterOpThreads(options_.interOpThreads);
  useIntraOpThreads(options_.intraOpThreads);
  const c10::InferenceMode inferenceMode;
  engine_ = loadScriptedEngine(options_.path, resolveDevice(options_.device, options_.libtorchDirectory));
  return {engine_->device().str(), intraOpThreads()};
}

bool ModelRunner::dispose(std::function<void()> disposed) {
  return thread_.close([this, disposed = std::move(disposed)] {
    engine_.reset();
    disposed();
  });
}

}  // namespace torch_t5
