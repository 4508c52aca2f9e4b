// Which rows of a source a decoder's rows read, where several that follow each other read one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace torch_t5 {

/// Reader i reads rows[i / count].
struct SharedRows {
  std::vector<std::int64_t> rows;
  std::int64_t count = 1;

  /// Whether `rows` are 0 to size - 1.
  bool areAllOf(std::int64_t size) const;

  /// `rows`, int64.
  at::Tensor on(const at::Device& device) const;
};

/// Reader i reads rows[i]: with the greatest `count` that says so.
SharedRows shareRows(const std::vector<std::int64_t>& rows);

/// int64 [n], from any device.
std::vector<std::int64_t> toVector(const at::Tensor& rows);

}  // namespace torch_t5
