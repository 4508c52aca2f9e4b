// The last values of a measurement, for quantiles.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace torch_t5 {

struct Quantiles {
  double p50 = 0;
  double p99 = 0;
};

class RecentValues {
 public:
  void add(double value) {
    values_[count_ % kKept] = value;
    ++count_;
  }

  /// 0 without values.
  Quantiles quantiles() const {
    const std::size_t size = std::min(count_, kKept);
    if (size == 0) return {};
    std::vector<double> sorted(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(size));
    std::sort(sorted.begin(), sorted.end());
    const auto at = [&](double share) {
      return sorted[static_cast<std::size_t>(share * static_cast<double>(size - 1))];
    };
    return {at(0.5), at(0.99)};
  }

 private:
  static constexpr std::size_t kKept = 512;

  std::array<double, kKept> values_{};
  std::size_t count_ = 0;
};

}  // namespace torch_t5
