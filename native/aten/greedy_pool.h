// The greedy searches of several callers, which share their steps: one graph per step for the rows of all of them.
//
//   host                                      device
//   admits searches, frees rows, enqueues --> steps, each of which chooses the ids of the next
//   reads the ends of the steps before   <-- a copy of the rows and their last ids
//
// A row moves from one place of the table to another without the host waiting for the device: everything that changes
// the table is enqueued behind the steps that use it. Each search has as many steps enqueued as it may generate ids;
// those after its end are computed and dropped.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "aten/cache.h"
#include "aten/decoder_step.h"
#include "aten/host_copy.h"
#include "engine/cuda_runtime.h"
#include "engine/engine_calls.h"

namespace torch_t5 {

class GreedyPool {
 public:
  /// How the engine makes the caches of searches. The functions outlive the pool.
  struct Caches {
    /// Of the sources, one per search.
    std::function<std::vector<AtenCrossCache>(std::span<const GreedySearch* const> searches)> makeCross;
    /// Without positions, with room for `capacity`.
    std::function<std::shared_ptr<AtenSelfCache>(std::int64_t rows, std::int64_t capacity)> makeSelf;
  };

  GreedyPool(CudaRuntime& runtime, DecoderStep& step, Caches caches);
  ~GreedyPool();

  /// Runs up to `maxSteps` steps of all searches, those of `calls` included. A search that has not begun waits while
  /// its rows have no room. Calls receive their output after their last step, or an error. Throws nothing.
  void run(std::span<EngineCall* const> calls, std::int64_t maxSteps);

 private:
  class Run;

  /// A row of a search in the table.
  struct Slot {
    std::weak_ptr<Run> run;
    std::int64_t row = 0;
    std::int64_t ring = 0;  // where its last ids are stored
  };

  /// The slots at the time of a copy of the table.
  struct Look {
    HostCopy copy;
    std::vector<Slot> slots;
  };

  void freeRows();
  void admit(std::span<EngineCall* const> calls);
  void join(std::span<EngineCall* const> calls);
  std::int64_t enqueueSteps(std::int64_t maxSteps);
  void makeRoom(Run& run, std::int64_t steps);
  StepRow describe(const Run& run, const Slot& slot) const;
  void startLook();
  static void read(Look& look);
  void fail(const std::exception_ptr& error);

  at::Tensor endIds(const std::vector<std::int32_t>& ids);
  int* ringAt(std::int64_t ring) const;
  at::Tensor tableRows(std::int64_t first, std::int64_t count) const;

  CudaRuntime& runtime_;
  DecoderStep& step_;
  Caches caches_;
  at::Tensor state_;                      // bytes on the device: a copy of the table, then the rings
  std::vector<std::weak_ptr<Run>> runs_;  // those that have begun
  std::vector<Slot> slots_;
  std::vector<std::int64_t> freeRings_;
  std::int64_t countOnDevice_ = 0;
  std::map<std::vector<std::int32_t>, at::Tensor> endIds_;  // int32 on the device
  // The host reads one while the device runs the steps before the other.
  std::array<Look, 2> looks_;
  std::size_t latest_ = 0;  // the look that was started last
};

}  // namespace torch_t5
