#include "runtime/model_runner.h"

#include "aten/aten_engine.h"
#include "core/platform/huge_pages.h"
#include "engine/cuda_runtime.h"
#include "engine/device.h"
#include "engine/threads.h"
#include "fused/fused_engine.h"
#include "torchscript/torchscript_engine.h"
#include "weights/weights.h"

namespace torch_t5 {
namespace {

/// int8 runs on the CPU only, and "auto" is the CPU for it.
at::Device deviceFor(const LoadOptions& options) {
  if (options.precision != Precision::kInt8) return resolveDevice(options.device, options.libtorchDirectory);
  if (options.device == "auto" || options.device == "cpu") return at::kCPU;
  throw invalidArgument("\"auto\" or \"cpu\"", "device with precision \"int8\"", '"' + options.device + '"');
}

}  // namespace

ModelRunner::ModelRunner(LoadOptions options) : options_(std::move(options)), thread_(options_.maxQueueLength) {}

void ModelRunner::load(Callback<ModelInfo> callback) {
  thread_.post({
      .run = [this, callback] { callback(outcomeOf<ModelInfo>([this] { return loadEngine(); })); },
      .fail = [callback](const Error& error) { callback(error); },
  });
}

ModelInfo ModelRunner::loadEngine() {
  const auto& architecture = options_.architecture;
  const ModelKind kind = options_.kind;
  const Precision precision = options_.precision;
  setInterOpThreads(options_.interOpThreads);
  setIntraOpThreads(options_.intraOpThreads);
  const c10::InferenceMode inferenceMode;
  const at::Device device = deviceFor(options_);
  if (precision == Precision::kExact) {
    engine_ = loadTorchScriptEngine(options_.path, kind, device);
  } else if (!device.is_cpu()) {
    engine_ =
        makeAtenEngine(readWeights(options_.path, architecture, kind), architecture, precision, device, cudaRuntime());
  } else {
    Weights weights = readWeights(options_.path, architecture, kind);
    disableIntraOpThreads();
    engine_ =
        makeFusedEngine(std::move(weights), architecture, precision, resolveIntraOpThreads(options_.intraOpThreads));
    hasOwnThreadPool_ = true;
    returnFreedMemory();
  }
  return {device.str()};
}

bool ModelRunner::dispose(std::function<void()> disposed) {
  return thread_.close([this, disposed = std::move(disposed)] {
    engine_.reset();
    disposed();
  });
}

void ModelRunner::setThreads() const {
  if (hasOwnThreadPool_) {
    disableIntraOpThreads();
  } else {
    setIntraOpThreads(options_.intraOpThreads);
  }
}

}  // namespace torch_t5
