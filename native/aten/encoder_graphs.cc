#include "aten/encoder_graphs.h"

#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <utility>

#include "aten/attention.h"

namespace torch_t5 {
namespace {

/// Rows times positions up to which launching takes longer than computing, on an H100 for a model of t5-small's size.
constexpr std::int64_t kMaxPositions = 4096;
constexpr std::int64_t kMaxRows = 64;
constexpr std::int64_t kMinLength = 16;
/// Each graph keeps the memory of its intermediate results. The largest of them, the input of the activation, may have
/// this many numbers.
constexpr std::int64_t kMaxIntermediate = std::int64_t{1} << 23;
constexpr std::size_t kMaxBuckets = 16;

std::int64_t paddedSource(std::int64_t length) { return paddedLength(length, kMinLength); }

}  // namespace

EncoderGraphs::EncoderGraphs(CudaRuntime& runtime, const at::Device& device, const Architecture& architecture,
                             MakeEncode makeEncode)
    : runtime_(runtime),
      device_(device),
      dModel_(architecture.dModel),
      maxPositions_(std::min(kMaxPositions, kMaxIntermediate / (architecture.dFf * (architecture.isGated ? 2 : 1)))),
      makeEncode_(std::move(makeEncode)),
      buckets_(kMaxBuckets) {}

bool EncoderGraphs::accepts(std::int64_t rows, std::int64_t length) const {
  return rows <= kMaxRows && paddedRows(rows) * paddedSource(length) <= maxPositions_;
}

at::Tensor EncoderGraphs::run(const at::Tensor& inputIds, const at::Tensor& padding) {
  const c10::DeviceGuard guard(device_);
  const std::int64_t rows = inputIds.size(0);
  const std::int64_t length = inputIds.size(1);
  const std::int64_t bucketRows = paddedRows(rows);
  const std::int64_t bucketLength = paddedSource(length);
  Bucket& bucket = buckets_.find(
      [&](const Bucket& other) { return other.ids.size(0) == bucketRows && other.ids.size(1) == bucketLength; },
      [&] { return makeBucket(bucketRows, bucketLength); });
  bucket.ids.narrow(0, 0, rows).narrow(1, 0, length).copy_(inputIds);
  writePadding(bucket.padding, padding);
  bucket.work.run();
  return bucket.states.narrow(0, 0, rows).narrow(1, 0, length).clone(at::MemoryFormat::Contiguous);
}

EncoderGraphs::Bucket EncoderGraphs::makeBucket(std::int64_t rows, std::int64_t length) const {
  const at::TensorOptions options = at::TensorOptions(device_).dtype(at::kFloat);
  const at::Tensor ids = at::zeros({rows, length}, options.dtype(at::kLong));
  const at::Tensor padding = at::zeros({rows, 1, 1, length}, options);
  const at::Tensor states = at::zeros({rows, length, dModel_}, options);
  GraphedWork work(runtime_, device_,
                   [ids, padding, states, encode = makeEncode_(length)] { states.copy_(encode(ids, padding)); });
  return {ids, padding, states, std::move(work)};
}

}  // namespace torch_t5
