// The decoder on short prefixes, as graphs: forward passes, prompts, and the targets of score requests.
//
// As in encoder_graphs.h, inputs are padded to a bucket, of rows, positions and source positions. A position does not
// attend to later ones, so padding after a prefix changes nothing before it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "aten/buckets.h"
#include "aten/cache.h"
#include "aten/graphed_work.h"
#include "core/requests.h"
#include "engine/cuda_runtime.h"

namespace torch_t5 {

class DecoderGraphs {
 public:
  /// Computes states [rows, length, dModel] of ids [rows, length], and writes each layer's keys and values to `self`
  /// [layers, 2, rows, heads, length, dKv], without waiting for the device.
  using Decode = std::function<at::Tensor(const at::Tensor& ids, const AtenCrossCache& cross, const at::Tensor& self)>;
  /// Called once per bucket, so that what depends on the length alone is computed once.
  using MakeDecode = std::function<Decode(std::int64_t length)>;

  DecoderGraphs(CudaRuntime& runtime, const at::Device& device, at::ScalarType type, const Architecture& architecture,
                MakeDecode makeDecode);

  /// Whether a prefix [rows, length] of decoded rows that read a source in `cross` is short enough.
  bool accepts(std::int64_t rows, std::int64_t length, const AtenCrossCache& cross) const;

  struct Output {
    at::Tensor states;         // [R, T, dModel]
    at::Tensor keysAndValues;  // [layers, 2, R, heads, T, dKv], a view that the next run overwrites
  };

  /// `ids`: [R, T], short enough.
  Output run(const at::Tensor& ids, const AtenCrossCache& cross);

 private:
  struct Size {
    std::int64_t rows;
    std::int64_t length;
    std::int64_t groups;  // rows of the cross cache
    std::int64_t groupSize;
    std::int64_t sourceLength;

    bool operator==(const Size&) const = default;
  };

  struct Bucket {
    Size size;
    at::Tensor ids;  // int64 [rows, length]
    AtenCrossCache cross;
    at::Tensor self;
    at::Tensor states;
    GraphedWork work;
  };

  Size sizeFor(std::int64_t rows, std::int64_t length, const AtenCrossCache& cross) const;
  Bucket makeBucket(const Size& size) const;

  CudaRuntime& runtime_;
  at::Device device_;
  at::ScalarType type_;
  Architecture architecture_;
  MakeDecode makeDecode_;
  RecentlyUsed<Bucket> buckets_;
};

}  // namespace torch_t5
