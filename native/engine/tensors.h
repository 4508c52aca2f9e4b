// Converts arrays to tensors and tensors to arrays.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace torch_t5 {

/// A copy, int64 [n] on the device.
at::Tensor toTensor(const std::vector<std::int32_t>& values, const at::Device& device);
/// A copy, int64 [rows, columns] on the device.
at::Tensor toTensor(const std::vector<std::int32_t>& values, std::int64_t rows, std::int64_t columns,
                    const at::Device& device);

/// The tensor without the rest of its memory: itself if it fills its memory, else a copy. A result of a pass that ran
/// for several requests is a part of the pass's memory.
at::Tensor compact(const at::Tensor& tensor);

/// The values of an int64 tensor [n] on any device.
std::vector<std::int64_t> toVector(const at::Tensor& tensor);

}  // namespace torch_t5
