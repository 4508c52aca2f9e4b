#include "engine/tensors.h"

#include <ATen/ops/from_blob.h>

namespace torch_t5 {

at::Tensor toTensor(const std::vector<std::int32_t>& values, const at::Device& device) {
  // The conversion to int64 copies, so the result never refers to `values`. A copy of pageable memory to a device has
  // read it when it returns; nobody waits for the device.
  return at::from_blob(const_cast<std::int32_t*>(values.data()), {static_cast<std::int64_t>(values.size())}, at::kInt)
      .to(at::kLong)
      .to(device, /*non_blocking=*/true);
}

at::Tensor toTensor(const std::vector<std::int32_t>& values, std::int64_t rows, std::int64_t columns,
                    const at::Device& device) {
  return toTensor(values, device).view({rows, columns});
}

at::Tensor compact(const at::Tensor& tensor) {
  return tensor.nbytes() == tensor.storage().nbytes() ? tensor : tensor.clone();
}

std::vector<std::int64_t> toVector(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU).contiguous();
  const auto* begin = values.const_data_ptr<std::int64_t>();
  return {begin, begin + values.numel()};
}

}  // namespace torch_t5
