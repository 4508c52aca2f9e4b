#include "aten/shared_rows.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>

namespace torch_t5 {

bool SharedRows::areAllOf(std::int64_t size) const {
  if (static_cast<std::int64_t>(rows.size()) != size) return false;
  std::int64_t next = 0;
  return std::all_of(rows.begin(), rows.end(), [&](std::int64_t row) { return row == next++; });
}

at::Tensor SharedRows::on(const at::Device& device) const { return at::tensor(rows, at::kLong).to(device); }

SharedRows shareRows(const std::vector<std::int64_t>& rows) {
  SharedRows shared{{}, 0};
  std::size_t first = 0;  // of a run of the same row
  for (std::size_t reader = 1; reader <= rows.size(); ++reader) {
    if (reader < rows.size() && rows[reader] == rows[first]) continue;
    shared.count = std::gcd(shared.count, static_cast<std::int64_t>(reader - first));
    first = reader;
  }
  for (std::size_t reader = 0; reader < rows.size(); reader += static_cast<std::size_t>(shared.count))
    shared.rows.push_back(rows[reader]);
  return shared;
}

std::vector<std::int64_t> toVector(const at::Tensor& rows) {
  const at::Tensor here = rows.to(at::kCPU).contiguous();
  const auto* begin = here.const_data_ptr<std::int64_t>();
  return {begin, begin + here.numel()};
}

}  // namespace torch_t5
