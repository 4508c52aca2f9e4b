// The encoder on short inputs, as graphs. Launching its operators one by one takes longer than they run.
//
// Inputs are padded to a bucket of rows and positions, and each bucket has a graph. Padded positions get no attention,
// whatever the mask of the others, so a row's states are those of the input itself.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "aten/buckets.h"
#include "aten/graphed_work.h"
#include "core/requests.h"
#include "engine/cuda_runtime.h"

namespace torch_t5 {

class EncoderGraphs {
 public:
  /// Computes states [rows, length, dModel] from ids [rows, length] and an additive mask [rows, 1, 1, length] without
  /// waiting for the device.
  using Encode = std::function<at::Tensor(const at::Tensor& ids, const at::Tensor& padding)>;
  /// Called once per bucket, so that what depends on the length alone is computed once.
  using MakeEncode = std::function<Encode(std::int64_t length)>;

  EncoderGraphs(CudaRuntime& runtime, const at::Device& device, const Architecture& architecture,
                MakeEncode makeEncode);

  /// Whether an input is short enough. Longer ones keep the device busy without a graph.
  bool accepts(std::int64_t rows, std::int64_t length) const;

  /// The states [B, S, dModel] of ids [B, S] that are short enough, with an additive mask [B, 1, 1, S].
  at::Tensor run(const at::Tensor& inputIds, const at::Tensor& padding);

 private:
  struct Bucket {
    at::Tensor ids;      // int64 [rows, length]
    at::Tensor padding;  // float32 [rows, 1, 1, length]
    at::Tensor states;   // float32 [rows, length, dModel]
    GraphedWork work;
  };

  Bucket makeBucket(std::int64_t rows, std::int64_t length) const;

  CudaRuntime& runtime_;
  at::Device device_;
  std::int64_t dModel_;
  std::int64_t maxPositions_;
  MakeEncode makeEncode_;
  RecentlyUsed<Bucket> buckets_;
};

}  // namespace torch_t5
