// What CUDA offers beyond libtorch's operators: graphs, kernels that are compiled at run time, and pinned memory.
//
// The library torch_t5_cuda implements this interface. It is opened only for a CUDA device, so that neither the addon
// nor this file depends on CUDA. Tests implement the interface on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace torch_t5 {

/// Device work that was recorded once and is replayed as a whole. It refers to the memory that the work used, which the
/// caller keeps alive.
class DeviceGraph {
 public:
  DeviceGraph() = default;
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;
  virtual ~DeviceGraph() = default;

  /// Enqueues the work on the current stream.
  virtual void replay() = 0;
};

/// How a kernel is launched.
struct KernelLaunch {
  const char* name = nullptr;  // of an `extern "C"` function
  unsigned blocksX = 1;
  unsigned blocksY = 1;
  unsigned threads = 1;  // per block
  /// Whether the kernel may start before the previous one has ended. Such a kernel itself waits for the previous one
  /// (griddepcontrol.wait) before it reads what that one wrote. Ignored by GPUs without this (before Hopper).
  bool startsEarly = false;
};

/// Compiled kernels.
class DeviceKernels {
 public:
  DeviceKernels() = default;
  DeviceKernels(const DeviceKernels&) = delete;
  DeviceKernels& operator=(const DeviceKernels&) = delete;
  virtual ~DeviceKernels() = default;

  /// Enqueues a kernel on the current stream. `arguments`: the addresses of its parameters, in order.
  virtual void launch(const KernelLaunch& launch, std::span<void* const> arguments) const = 0;
};

/// Used in inference mode. Every method may be called on any thread; graphs and kernels belong to the current device of
/// the thread that makes them.
class CudaRuntime {
 public:
  CudaRuntime() = default;
  CudaRuntime(const CudaRuntime&) = delete;
  CudaRuntime& operator=(const CudaRuntime&) = delete;
  virtual ~CudaRuntime() = default;

  /// Compiles CUDA C++ for a device. `definitions`: macros, "NAME=value". Throws ERR_DEVICE_UNAVAILABLE if there is no
  /// compiler (libnvrtc), and ERR_INTERNAL with the compiler's first message for a source that does not compile.
  virtual std::unique_ptr<DeviceKernels> compile(const std::string& source, const std::vector<std::string>& definitions,
                                                 const at::Device& device) = 0;

  /// Records the device work of `record` instead of running it. Tensors that `record` allocates and drops are the
  /// graph's own. The host may not wait for the device in `record`. Throws what `record` throws.
  virtual std::unique_ptr<DeviceGraph> capture(const at::Device& device, const std::function<void()>& record) = 0;

  /// A tensor on the CPU in pinned memory, to which the device copies at full speed, the only one in its allocation.
  /// Its memory returns to a pool when it is freed, on any thread. Undefined if the pool has reached its limit, or if
  /// the system has no more memory to pin.
  virtual at::Tensor pinned(at::IntArrayRef sizes, at::ScalarType type) = 0;
};

/// This process's runtime; null before a model is loaded onto a CUDA device, and if torch_t5_cuda is missing.
CudaRuntime* cudaRuntime() noexcept;

/// Sets it. It is never freed.
void setCudaRuntime(CudaRuntime* runtime) noexcept;

}  // namespace torch_t5
