// Symmetric quantization of weights to int8.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace torch_t5 {

/// The largest absolute value; 0 of none.
inline float largestMagnitude(std::span<const float> numbers) {
  constexpr std::size_t kLanes = 16;  // independent maxima, so that the compiler can vectorize the loop
  std::array<float, kLanes> maxima{};
  const std::size_t whole = numbers.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float magnitude = std::fabs(numbers[i + lane]);
      maxima[lane] = magnitude > maxima[lane] ? magnitude : maxima[lane];
    }
  }
  float maximum = *std::max_element(maxima.begin(), maxima.end());
  for (const float number : numbers.subspan(whole)) maximum = std::max(maximum, std::fabs(number));
  return maximum;
}

/// A number from -127 to 127 as `std::nearbyint` rounds it, half to even, without a call. Near 3 * 2^22 the last bit of
/// a float32 stands for 1, so the sum's low bits are those of the rounded number.
inline std::int8_t roundToInt8(float number) {
  constexpr float kOnesPlace = 12582912.0F;
  return static_cast<std::int8_t>(std::bit_cast<std::uint32_t>(number + kOnesPlace) & 0xFFU);
}

}  // namespace torch_t5
