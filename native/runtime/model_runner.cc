#include "runtime/model_runner.h"

#include <c10/core/InferenceMode.h>

#include <optional>
#include <utility>
#include <vector>

#include "aten/aten_engine.h"
#include "core/platform/huge_pages.h"
#include "engine/cuda_runtime.h"
#include "engine/device.h"
#include "engine/threads.h"
#include "fused/fused_engine.h"
#include "fused/threading/worker_pool.h"
#include "runtime/core_shares.h"
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

Weights readWeights(const LoadOptions& options) {
  return options.storedWeights ? readWeights(*options.storedWeights, options.architecture, options.kind)
                               : readWeights(options.path, options.architecture, options.kind);
}

/// The work of loading: it makes no calls.
class LoadWork final : public Work {
 public:
  explicit LoadWork(std::function<void()> load) : load_(std::move(load)) {}
  void start() override { load_(); }
  Wait wait() const override { return Wait::kNothing; }
  std::int64_t positions() const override { return 0; }
  void resume() override {}
  void fail(const Error&) override {}
  void settle() override {}

 private:
  std::function<void()> load_;
};

}  // namespace

ModelRunner::ModelRunner(LoadOptions options)
    : options_(std::move(options)),
      scheduler_({options_.maxQueueLength, options_.maxBatchSize, options_.maxBatchTokens, options_.maxCacheBytes},
                 passes_) {}

void ModelRunner::load(Callback<ModelInfo> callback) {
  scheduler_.post({
      .work = std::make_unique<LoadWork>(
          [this, callback] { callback(outcomeOf<ModelInfo>([this] { return loadEngine(); })); }),
      .fail = [callback](const Error& error) { callback(error); },
  });
}

ModelInfo ModelRunner::loadEngine() {
  const TensorMemory::Scope scope(nullptr);  // weights are freed with the model, and what they are read into at once
  const auto& architecture = options_.architecture;
  const ModelKind kind = options_.kind;
  const Precision precision = options_.precision;
  setInterOpThreads(options_.interOpThreads);
  setIntraOpThreads(options_.intraOpThreads);
  const at::Device device = deviceFor(options_);
  if (precision == Precision::kExact) {
    engine_ = loadTorchScriptEngine(options_.path, kind, device, {options_.hiddenStatesPath, options_.attentionsPath});
  } else if (!device.is_cpu()) {
    const bool mergesCalls = options_.batching.value_or(false);  // bits depend on the batch
    engine_ = makeAtenEngine(readWeights(options_), architecture, precision, device, cudaRuntime(), mergesCalls);
  } else {
    Weights weights = readWeights(options_);
    disableIntraOpThreads();
    engine_ =
        makeFusedEngine(std::move(weights), architecture, precision, resolveIntraOpThreads(options_.intraOpThreads));
    hasOwnThreadPool_ = true;
    returnFreedMemory();
  }
  {
    const std::lock_guard lock(enginePointerMutex_);
    enginePointer_ = engine_.get();
  }
  cores_ = resolveIntraOpThreads(options_.intraOpThreads);
  return {device.str()};
}

std::int64_t ModelRunner::cacheBytes(const CacheSize& size) const {
  const std::lock_guard lock(enginePointerMutex_);
  return enginePointer_ == nullptr ? 0 : enginePointer_->cacheBytes(size);
}

bool ModelRunner::dispose(std::function<void()> disposed) {
  return scheduler_.close([this, disposed = std::move(disposed)] {
    {
      const std::lock_guard lock(enginePointerMutex_);
      enginePointer_ = nullptr;
    }
    engine_.reset();
    tensorMemory_.close();
    disposed();
  });
}

void ModelRunner::EnginePasses::runThread(const std::function<void()>& loop) {
  const c10::InferenceMode inferenceMode;
  const TensorMemory::Scope scope(&runner_.tensorMemory_);
  loop();
}

bool ModelRunner::EnginePasses::mergesCalls() const {
  return runner_.engine_ != nullptr && runner_.engine_->mergesCalls() && runner_.options_.batching.value_or(true);
}

void ModelRunner::EnginePasses::run(std::span<Work* const> works) {
  runner_.setThreads();
  Engine& engine = *runner_.engine_;
  std::optional<CoreShares::Share> share;
  const bool isInterlude = std::exchange(isRunning_, true);  // of a pass that has the cores already
  if (engine.device().is_cpu() && !isInterlude) share.emplace(CoreShares::shared(), runner_.cores_);
  runCalls(engine, works);
  isRunning_ = isInterlude;
}

void ModelRunner::EnginePasses::runEach(std::int64_t count, const std::function<void(std::int64_t)>& task) {
  const std::int64_t threads = runner_.hasOwnThreadPool_ ? runner_.cores_ : 1;
  WorkerPool::shared().run(count, threads, [&](std::int64_t index, std::int64_t) {
    const c10::InferenceMode inferenceMode;
    const TensorMemory::Scope scope(&runner_.tensorMemory_);
    runner_.setThreads();
    task(index);
  });
}

void ModelRunner::EnginePasses::runCalls(Engine& engine, std::span<Work* const> works) {
  std::vector<EngineCall*> calls;
  for (Work* work : works) calls.push_back(static_cast<EngineWork*>(work)->call());
  if (calls.size() > 1 || std::holds_alternative<SharedGreedyCall>(calls.front()->call)) {
    try {
      engine.runTogether(calls);
      return;
    } catch (...) {
      // Each call runs by itself, so that it gets the error that it would get alone.
    }
  }
  for (EngineCall* call : calls) torch_t5::run(engine, *call);
}

void ModelRunner::setThreads() const {
  if (hasOwnThreadPool_) {
    disableIntraOpThreads();
  } else {
    setIntraOpThreads(options_.intraOpThreads);
  }
}

}  // namespace torch_t5
