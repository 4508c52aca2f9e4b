#include "cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>

#include <map>
#include <mutex>

#include "cuda/device_scope.h"

// at::cuda::CUDAGraph is not used: a capture that fails leaves libtorch's allocator with a reference to the graph in
// versions before 2.15.

namespace torch_t5 {
namespace {

using c10::cuda::CUDAStream;
namespace allocator = c10::cuda::CUDACachingAllocator;

/// Forgets the error of a failed call, so that libtorch's next check does not report it. The errors of a lost GPU stay.
void forgetError() noexcept { static_cast<void>(cudaGetLastError()); }

/// Later work on `waiting` starts after the work that `stream` has so far.
void waitFor(const CUDAStream& stream, const CUDAStream& waiting) {
  c10::Event event(at::kCUDA);
  event.record(stream.unwrap());
  event.block(waiting.unwrap());
}

/// Newer versions of libtorch's allocator also need to know about a capture itself.
template <class Allocator>
void markCapture(Allocator& allocator, c10::DeviceIndex device, bool begins) {
  if constexpr (requires { allocator.markCaptureBegin(device); }) {
    begins ? allocator.markCaptureBegin(device) : allocator.markCaptureEnd(device);
  }
}

/// A share of the allocator in which the memory of a graph stays the graph's own.
class GraphMemory {
 public:
  explicit GraphMemory(c10::DeviceIndex device) : device_(device), pool_(at::cuda::graph_pool_handle()) {}
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;

  ~GraphMemory() {
    if (!isMade_) return;
    try {
      allocator::releasePool(device_, pool_);
    } catch (...) {
      // The allocator keeps the memory.
    }
  }

  /// From now on, the memory that is allocated for a stream comes from here.
  void beginAllocations(cudaStream_t stream) {
    allocator::beginAllocateToPool(device_, pool_, [stream](cudaStream_t other) { return other == stream; });
    isMade_ = true;
  }

  void endAllocations() { allocator::endAllocateToPool(device_, pool_); }

 private:
  c10::DeviceIndex device_;
  c10::MempoolId_t pool_;
  bool isMade_ = false;
};

/// A capture that has begun: until it ends, work on the stream is recorded instead of run.
class Capture {
 public:
  Capture(GraphMemory& memory, const CUDAStream& stream) : memory_(memory), stream_(stream) {
    memory_.beginAllocations(stream_);
    markCapture(*allocator::get(), stream_.device_index(), /*begins=*/true);
    const cudaError_t failure = cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal);
    if (failure == cudaSuccess) return;
    endAllocations();
    C10_CUDA_CHECK(failure);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  /// Drops what was recorded, unless `end` was called.
  ~Capture() {
    if (hasEnded_) return;
    cudaGraph_t graph = nullptr;
    static_cast<void>(cudaStreamEndCapture(stream_, &graph));
    if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
    forgetError();
    endAllocations();
  }

  /// What was recorded, owned by the caller. Throws libtorch's exception if the work could not be recorded.
  cudaGraph_t end() {
    hasEnded_ = true;
    cudaGraph_t graph = nullptr;
    const cudaError_t failure = cudaStreamEndCapture(stream_, &graph);
    endAllocations();
    C10_CUDA_CHECK(failure);
    TORCH_CHECK(graph != nullptr, "Expected a CUDA graph but the capture was invalid");
    return graph;
  }

 private:
  void endAllocations() noexcept {
    try {
      markCapture(*allocator::get(), stream_.device_index(), /*begins=*/false);
      memory_.endAllocations();
    } catch (...) {
      // It has ended already.
    }
  }

  GraphMemory& memory_;
  CUDAStream stream_;
  bool hasEnded_ = false;
};

class Graph final : public DeviceGraph {
 public:
  explicit Graph(const at::Device& device) : device_(device), memory_(device.index()) {}

  ~Graph() override {
    if (executable_ == nullptr) return;
    if (cudaGraphExecDestroy(executable_) != cudaSuccess) forgetError();
  }

  void record(const CUDAStream& stream, const std::function<void()>& record) {
    Capture capture(memory_, stream);
    record();
    cudaGraph_t graph = capture.end();
    const cudaError_t failure =
        cudaGraphInstantiateWithFlags(&executable_, graph, cudaGraphInstantiateFlagAutoFreeOnLaunch);
    static_cast<void>(cudaGraphDestroy(graph));
    C10_CUDA_CHECK(failure);
  }

  void replay() override {
    const DeviceScope scope(device_);
    C10_CUDA_CHECK(cudaGraphLaunch(executable_, c10::cuda::getCurrentCUDAStream(device_.index())));
  }

 private:
  const at::Device device_;
  GraphMemory memory_;
  cudaGraphExec_t executable_ = nullptr;
};

/// The stream of a device on which graphs are captured. It is always the same, because libtorch keeps a workspace for
/// each stream that cuBLAS was used on. Not of high priority: streams of high priority copy results, and another thread
/// must not enqueue a copy during a capture. Called with the mutex of captures locked.
CUDAStream captureStream(c10::DeviceIndex device) {
  static std::map<c10::DeviceIndex, CUDAStream> streams;
  const auto known = streams.find(device);
  if (known != streams.end()) return known->second;
  return streams.emplace(device, c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device)).first->second;
}

}  // namespace

std::unique_ptr<DeviceGraph> captureGraph(const at::Device& anyDevice, const std::function<void()>& record) {
  const at::Device device = withIndex(anyDevice);
  static std::mutex mutex;  // one capture at a time, because captures share a stream
  const std::lock_guard lock(mutex);
  const DeviceScope scope(device);
  const CUDAStream current = c10::cuda::getCurrentCUDAStream(device.index());
  const CUDAStream side = captureStream(device.index());
  auto graph = std::make_unique<Graph>(device);
  waitFor(current, side);
  {
    const c10::cuda::CUDAStreamGuard guard(side.unwrap());
    graph->record(side, record);
  }
  waitFor(side, current);
  return graph;
}

}  // namespace torch_t5
