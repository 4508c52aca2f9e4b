// Arrays as tensors, and tensors as results.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace torch_t5 {

/// int64 on the device; a copy.
at::Tensor toTensor(const std::vector<std::int32_t>& values, const at::Device& device);
/// The same as [rows, columns].
at::Tensor toTensor(const std::vector<std::int32_t>& values, std::int64_t rows, std::int64_t columns,
                    const at::Device& device);

/// The tensor as a result: on the CPU, contiguous, of the type, and alone in its memory, because JavaScript sees the
/// whole allocation as one ArrayBuffer. Copies only where that isn't so already.
at::Tensor owned(at::Tensor tensor, at::ScalarType type);

}  // namespace torch_t5
