#include "engine/tensors.h"

#include <ATen/ops/from_blob.h>

namespace torch_t5 {

at::Tensor toTensor(const std::vector<std::int32_t>& values, const at::Device& device) {
  // A view on the caller's memory would do for the CPU; int64 and the device need a copy anyway.
  return at::from_blob(const_cast<std::int32_t*>(values.data()), {static_cast<std::int64_t>(values.size())}, at::kInt)
      .to(device, at::kLong);
}

at::Tensor toTensor(const std::vector<std::int32_t>& values, std::int64_t rows, std::int64_t columns,
                    const at::Device& device) {
  return toTensor(values, device).view({rows, columns});
}

at::Tensor owned(at::Tensor tensor, at::ScalarType type) {
  at::Tensor result = tensor.to(at::kCPU, type).contiguous();
  tensor.reset();
  const bool fillsItsMemory = result.storage_offset() == 0 && result.storage().nbytes() == result.nbytes();
  if (fillsItsMemory && result.storage().use_count() == 1) return result;
  return result.clone();
}

}  // namespace torch_t5
