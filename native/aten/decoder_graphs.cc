#include "aten/decoder_graphs.h"

#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>

#include <utility>

#include "aten/attention.h"

namespace torch_t5 {
namespace {

/// Rows times positions up to which launching takes longer than computing, on an H100 for a model of t5-small's size.
constexpr std::int64_t kMaxPositions = 1024;
constexpr std::int64_t kMaxRows = 64;
constexpr std::int64_t kMinLength = 8;
constexpr std::int64_t kMinSourceLength = 16;
/// Each bucket has a copy of the sources' keys and values, of at most this many numbers.
constexpr std::int64_t kMaxCrossNumbers = std::int64_t{1} << 25;
constexpr std::size_t kMaxBuckets = 16;

}  // namespace

DecoderGraphs::DecoderGraphs(CudaRuntime& runtime, const at::Device& device, at::ScalarType type,
                             const Architecture& architecture, MakeDecode makeDecode)
    : runtime_(runtime),
      device_(device),
      type_(type),
      architecture_(architecture),
      makeDecode_(std::move(makeDecode)),
      buckets_(kMaxBuckets) {}

bool DecoderGraphs::accepts(std::int64_t rows, std::int64_t length, const AtenCrossCache& cross) const {
  const Size size = sizeFor(rows, length, cross);
  const std::int64_t numbersPerPosition =
      architecture_.numDecoderLayers * 2 * architecture_.numHeads * architecture_.dKv;
  return rows <= kMaxRows && size.rows * size.length <= kMaxPositions &&
         size.groups * size.sourceLength * numbersPerPosition <= kMaxCrossNumbers;
}

DecoderGraphs::Output DecoderGraphs::run(const at::Tensor& ids, const AtenCrossCache& cross) {
  const c10::DeviceGuard guard(device_);
  const std::int64_t rows = ids.size(0);
  const std::int64_t length = ids.size(1);
  const Size size = sizeFor(rows, length, cross);
  Bucket& bucket =
      buckets_.find([&](const Bucket& other) { return other.size == size; }, [&] { return makeBucket(size); });
  bucket.ids.narrow(0, 0, rows).narrow(1, 0, length).copy_(ids);
  const at::Tensor& keysAndValues = cross.keysAndValues;
  bucket.cross.keysAndValues.narrow(2, 0, keysAndValues.size(2))
      .narrow(4, 0, keysAndValues.size(4))
      .copy_(keysAndValues);
  if (cross.padding.defined()) {
    writePadding(bucket.cross.padding, cross.padding);
  } else {
    clearPadding(bucket.cross.padding, keysAndValues.size(4));
  }
  bucket.work.run();
  return {bucket.states.narrow(0, 0, rows).narrow(1, 0, length).clone(at::MemoryFormat::Contiguous),
          bucket.self.narrow(2, 0, rows).narrow(4, 0, length)};
}

DecoderGraphs::Size DecoderGraphs::sizeFor(std::int64_t rows, std::int64_t length, const AtenCrossCache& cross) const {
  const std::int64_t groups = paddedRows(rows / cross.groupSize);
  return {groups * cross.groupSize, paddedLength(length, kMinLength), groups, cross.groupSize,
          paddedLength(cross.keysAndValues.size(4), kMinSourceLength)};
}

DecoderGraphs::Bucket DecoderGraphs::makeBucket(const Size& size) const {
  const auto [layers, heads, dKv] =
      std::tuple(architecture_.numDecoderLayers, architecture_.numHeads, architecture_.dKv);
  const at::TensorOptions floats = at::TensorOptions(device_).dtype(at::kFloat);
  const at::TensorOptions elements = floats.dtype(type_);
  const at::Tensor ids = at::zeros({size.rows, size.length}, floats.dtype(at::kLong));
  const AtenCrossCache cross{at::zeros({layers, 2, size.groups, heads, size.sourceLength, dKv}, elements),
                             at::zeros({size.groups, 1, 1, size.sourceLength}, floats),
                             {},
                             size.groupSize};
  const at::Tensor self = at::zeros({layers, 2, size.rows, heads, size.length, dKv}, elements);
  const at::Tensor states = at::zeros({size.rows, size.length, architecture_.dModel}, floats);
  GraphedWork work(runtime_, device_, [ids, cross, self, states, decode = makeDecode_(size.length)] {
    states.copy_(decode(ids, cross, self));
  });
  return {size, ids, cross, self, states, std::move(work)};
}

}  // namespace torch_t5
