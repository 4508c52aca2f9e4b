// Device work that repeats: run as it is the first time, then recorded as a graph, then replayed.
#pragma once

#include <functional>
#include <memory>

#include "engine/cuda_runtime.h"

namespace torch_t5 {

/// `work` reads and writes the same memory every time, and the host never waits for the device in it.
class GraphedWork {
 public:
  GraphedWork(CudaRuntime& runtime, const at::Device& device, std::function<void()> work);

  /// Enqueues the work on the current stream. The first run is not recorded, because libraries that it calls prepare
  /// themselves then. If the work cannot be recorded, it runs as it is from then on.
  void run();

 private:
  enum class State { kNew, kRan, kRecorded, kNotRecordable };

  void record();

  CudaRuntime& runtime_;
  at::Device device_;
  std::function<void()> work_;
  State state_ = State::kNew;
  std::unique_ptr<DeviceGraph> graph_;
};

}  // namespace torch_t5
