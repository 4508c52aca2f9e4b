// Elementwise functions of vectors: the exponential and the activations.
// Internal linkage: see kernels_template.h.
#pragma once

#include <cmath>

#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

/// e^x for x <= 88, 0 below -87.
template <class Simd>
typename Simd::Float exponential(typename Simd::Float x) {
  constexpr float kLowest = -87.0F;
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693145752F;  // ln 2 in two parts. The first has few bits, so n times it is exact.
  constexpr float kLn2Low = 1.42860677e-6F;
  const auto bounded = Simd::max(x, Simd::broadcast(kLowest));
  const auto n = Simd::round(Simd::multiply(bounded, Simd::broadcast(kLog2E)));
  auto r = Simd::fma(n, Simd::broadcast(-kLn2High), bounded);
  r = Simd::fma(n, Simd::broadcast(-kLn2Low), r);
  // Taylor polynomial: |r| <= ln 2 / 2, so the first omitted term is below 6e-9.
  auto p = Simd::broadcast(1.0F / 5040);
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 720));
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 120));
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 24));
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 6));
  p = Simd::fma(p, r, Simd::broadcast(0.5F));
  p = Simd::fma(p, r, Simd::broadcast(1.0F));
  p = Simd::fma(p, r, Simd::broadcast(1.0F));
  return Simd::zeroWhereLess(x, kLowest, Simd::scaleByPowerOf2(p, n));
}

template <class Simd>
typename Simd::Float sigmoid(typename Simd::Float x) {
  const auto one = Simd::broadcast(1.0F);
  const auto bounded = Simd::min(Simd::subtract(Simd::broadcast(0.0F), x), Simd::broadcast(87.0F));
  return Simd::divide(one, Simd::add(one, exponential<Simd>(bounded)));
}

/// x Phi(x), one element at a time: no common T5 checkpoint uses this activation.
template <class Simd>
typename Simd::Float geluWithErf(typename Simd::Float x) {
  float numbers[Simd::kLanes];
  Simd::store(numbers, x);
  for (float& number : numbers) number = 0.5F * number * (1.0F + erff(number * 0.707106781F));
  return Simd::load(numbers);
}

/// 0.5 x (1 + tanh(u)) = x sigmoid(2 u).
template <class Simd>
typename Simd::Float geluNew(typename Simd::Float x) {
  constexpr float kTwiceRootOf2OverPi = 1.59576912F;
  constexpr float kCubic = 0.044715F;
  const auto cube = Simd::multiply(Simd::multiply(x, x), x);
  const auto u = Simd::multiply(Simd::fma(cube, Simd::broadcast(kCubic), x), Simd::broadcast(kTwiceRootOf2OverPi));
  return Simd::multiply(x, sigmoid<Simd>(u));
}

template <class Simd>
typename Simd::Float activate(Activation activation, typename Simd::Float x) {
  switch (activation) {
    case Activation::kRelu:
      return Simd::max(x, Simd::broadcast(0.0F));
    case Activation::kGeluNew:
      return geluNew<Simd>(x);
    case Activation::kGelu:
      return geluWithErf<Simd>(x);
    case Activation::kSilu:
      return Simd::multiply(x, sigmoid<Simd>(x));
  }
  return x;
}

}  // namespace
}  // namespace torch_t5::kernels
