// The decoder's step on a CUDA device: one id per row, as few kernels as possible, in a graph that is replayed.
//
// A graph's kernels read and write fixed buffers. Where a row's cache is stored, and how long it is, they read from a
// table (kernels/step_row.h) that is written before each step. So one graph serves every cache, and only the number of
// rows is padded: to 1, 2, 4, 8, 16, 32 or 64. Up to 8 rows (16 for small models in float32), products with weights are
// our own kernels, which fuse the norm before them and the addition after them. More rows are products of libtorch
// (cuBLAS).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "aten/cache.h"
#include "aten/layers.h"
#include "core/requests.h"
#include "engine/cuda_runtime.h"
#include "engine/engine.h"

namespace torch_t5 {

/// The weights that a step reads, on the device.
struct StepWeights {
  at::Tensor embedding;  // [vocabSize, dModel]
  at::Tensor lmHead;     // [vocabSize, dModel]
  AtenStack decoder;
};

class DecoderStep {
 public:
  static constexpr std::int64_t kMaxRows = 64;

  /// Whether the kernels are right for this architecture: their loads are 16 bytes wide.
  static bool supports(const Architecture& architecture);

  /// `runtime` outlives the step. Throws what `CudaRuntime::compile` throws.
  DecoderStep(CudaRuntime& runtime, const Architecture& architecture, StepWeights weights, const Placement& placement);
  ~DecoderStep();

  struct Output {
    at::Tensor states;  // float32 [R, 1, dModel]
    at::Tensor logits;  // float32 [R, 1, vocabSize]; undefined if they were not asked for
  };

  /// Reads ids [R, 1] int64 at `position`, with R <= kMaxRows. Writes their keys and values to `self`, which has room
  /// for them.
  Output run(const at::Tensor& ids, AtenSelfCache& self, std::int64_t position, const AtenCrossCache& cross,
             bool withLogits);

  /// `Engine::decodeGreedily` for at most kMaxRows rows. `self` contains `position` positions. Throws ERR_ABORTED.
  at::Tensor runGreedy(const GreedyRequest& request, std::shared_ptr<AtenSelfCache> self, std::int64_t position,
                       const AtenCrossCache& cross);

 private:
  struct Bucket;

  bool runGreedySteps(Bucket& bucket, std::int64_t count, std::vector<StepRow>& table);

  Bucket& bucketFor(std::int64_t rows);
  std::unique_ptr<Bucket> makeBucket(std::int64_t rows);
  bool areFew(std::int64_t rows) const;
  std::shared_ptr<const DeviceKernels> kernelsFor(std::int64_t rows);

  void embed(const Bucket& bucket) const;
  void recordStates(const Bucket& bucket) const;
  void recordLogits(const Bucket& bucket) const;
  void recordGreedyStep(const Bucket& bucket) const;
  void recordLayersOfFewRows(const Bucket& bucket) const;
  void recordLayersOfManyRows(const Bucket& bucket) const;
  void recordSelfAttention(const Bucket& bucket, int layer) const;
  void recordCrossAttention(const Bucket& bucket, int layer) const;
  void recordHead(const Bucket& bucket) const;

  float headScale() const;
  KernelLaunch attentionKernel(const char* name, const Bucket& bucket) const;
  static KernelLaunch rowKernel(const char* name, const Bucket& bucket);

  CudaRuntime& runtime_;
  Architecture architecture_;
  StepWeights weights_;
  Placement placement_;
  std::vector<at::Tensor> biases_;  // per layer: float32 [heads, maxDistance + 1], by distance back from the query
  std::shared_ptr<const DeviceKernels> manyRowKernels_;
  std::array<std::unique_ptr<Bucket>, 7> buckets_;  // for 2 to the power of the index rows
};

}  // namespace torch_t5
