#include "runtime/engine_loader.h"

#include "aten/aten_engine.h"
#include "core/errors.h"
#include "core/platform/huge_pages.h"
#include "engine/device.h"
#include "engine/threads.h"
#include "fused/fused_engine.h"
#include "torchscript/torchscript_engine.h"
#include "weights/weights.h"

namespace torch_t5 {
namespace {

at::Device deviceFor(const LoadOptions& options) {
  const bool isInt8 = options.precision == Precision::kInt8;
  const at::Device device =
      resolveDevice(isInt8 && options.device == "auto" ? "cpu" : options.device, options.libtorchDirectory);
  if (isInt8 && !device.is_cpu())
    throw Error(ErrorCode::kInvalidArgument,
                "Expected device \"cpu\" for precision \"int8\" but received " + device.str());
  return device;
}

}  // namespace

LoadedEngine loadEngine(const LoadOptions& options) {
  const at::Device device = deviceFor(options);
  if (options.precision == Precision::kExact) return {loadTorchScriptEngine(options.path, device)};
  Weights weights = readWeights(options.path, options.architecture);
  if (!device.is_cpu()) return {makeAtenEngine(std::move(weights), options.architecture, options.precision, device)};
  disableIntraOpThreads();
  LoadedEngine loaded{makeFusedEngine(std::move(weights), options.architecture, options.precision,
                                      resolveIntraOpThreads(options.intraOpThreads)),
                      /*hasOwnThreads=*/true};
  returnFreedMemory();
  return loaded;
}

}  // namespace torch_t5
