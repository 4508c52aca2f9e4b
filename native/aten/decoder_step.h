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
#include <optional>
#include <span>
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

  /// Rows that have a cache in common.
  struct Part {
    at::Tensor ids;                       // int64 [rows, 1]
    std::shared_ptr<AtenSelfCache> self;  // has room for one more position
    std::int64_t position = 0;            // of the ids
    AtenCrossCache cross;
  };

  /// Reads the ids of all parts, R <= kMaxRows rows. Writes their keys and values to their caches.
  Output run(std::span<const Part> parts, bool withLogits);

  /// `Engine::decodeGreedily` for at most kMaxRows rows. `self` contains `position` positions. Throws ERR_ABORTED.
  at::Tensor runGreedy(const GreedyRequest& request, std::shared_ptr<AtenSelfCache> self, std::int64_t position,
                       const AtenCrossCache& cross);

  /// What the greedy steps of a pool of searches read and write. Each number of rows uses the first of them.
  struct PooledRows {
    at::Tensor table;   // bytes: StepRow [kMaxRows]
    at::Tensor count;   // int32 [1]: rows in use
    at::Tensor hidden;  // float32 [kMaxRows, dModel]: the embeddings of the ids that the next step reads
  };

  /// Those of this decoder's only pool.
  const PooledRows& pooledRows();

  /// Embeds ids int64 [n] in pooled rows from `first` on.
  void embedPooled(const at::Tensor& ids, std::int64_t first);

  /// Enqueues a greedy step of the first `rows` pooled rows.
  void runPooledStep(std::int64_t rows);

 private:
  struct Bucket;
  using Buckets = std::array<std::unique_ptr<Bucket>, 7>;  // for 2 to the power of the index rows

  bool runGreedySteps(Bucket& bucket, std::int64_t count, std::vector<StepRow>& table);

  Bucket& bucketFor(std::int64_t rows, bool isPooled = false);
  std::unique_ptr<Bucket> makeBucket(std::int64_t rows, bool isPooled);
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
  Buckets buckets_;
  std::optional<PooledRows> pooledRows_;
  Buckets pooledBuckets_;
};

}  // namespace torch_t5
