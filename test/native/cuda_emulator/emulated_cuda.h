// A CudaRuntime for device CPU: it "compiles" a source by choosing one of the modules that are part of the program.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda_runtime.h"

namespace torch_t5::emulator {

class EmulatedCuda final : public CudaRuntime {
 public:
  /// What was done so far.
  struct Counts {
    std::atomic<int> compiles = 0;
    std::atomic<int> launches = 0;
    std::atomic<int> captures = 0;
    std::atomic<int> replays = 0;
  };

  /// The module with these macros. The source is ignored. Throws if the program has none.
  std::unique_ptr<DeviceKernels> compile(const std::string& source, const std::vector<std::string>& definitions,
                                         const at::Device& device) override;

  /// Runs nothing, and keeps `record`: a replay calls it. So `record` must be a function of buffers that live as long
  /// as the graph.
  std::unique_ptr<DeviceGraph> capture(const at::Device& device, const std::function<void()>& record) override;

  at::Tensor pinned(at::IntArrayRef sizes, at::ScalarType type) override;

  const Counts& counts() const { return *counts_; }

  /// Called first by compile and capture if set, before anything is counted; may throw.
  std::function<void()> beforeCompile;
  std::function<void()> beforeCapture;

  /// Whether there is memory to pin.
  bool pinsMemory = true;

 private:
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace torch_t5::emulator
