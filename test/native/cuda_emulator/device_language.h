// The part of CUDA C++ that the kernels use, for a compiler of C++: what it names is a function or a variable wherever
// it can be.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda_emulator/block.h"

// Each emulated module has the kernels under the same names.
#define __global__ static
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#ifdef __ELF__
// In a section that is filled before a block starts. A compiler may ignore this for templates, so kernels declare their
// shared memory in functions that are none.
#define __shared__ static __attribute__((section("emulated_shared")))
#else
#define __shared__ static
#endif

struct Index3 {
  unsigned x = 0;
  unsigned y = 0;
  unsigned z = 0;
};
extern Index3 threadIdx;
extern Index3 blockIdx;
extern Index3 blockDim;
extern Index3 gridDim;

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float rsqrtf(float value) { return 1 / std::sqrt(value); }

inline void __syncthreads() { torch_t5::emulator::waitAtBarrier(); }

template <class Value>
Value __shfl_xor_sync(unsigned, Value value, int offset) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = torch_t5::emulator::exchange(bits, threadIdx.x % 32 ^ static_cast<unsigned>(offset));
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
