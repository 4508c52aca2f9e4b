// The element type of matrices, keys and values: bfloat16 (as its bits) or float32. Elements are read 16 bytes at a
// time; sums are float32.
#pragma once

namespace torch_t5 {

#if BFLOAT16
using Element = unsigned short;
#else
using Element = float;
#endif

/// The 16 bytes that a thread loads at once.
using Vector = uint4;
constexpr int kVector = sizeof(Vector) / sizeof(Element);  // elements

namespace {

__device__ constexpr int ceilDiv(int a, int b) { return (a + b - 1) / b; }
__device__ constexpr int smaller(int a, int b) { return a < b ? a : b; }
__device__ constexpr int larger(int a, int b) { return a < b ? b : a; }

/// Rounds to the nearest element, ties to even.
__device__ __forceinline__ Element toElement(float value) {
#if BFLOAT16
  const unsigned bits = __float_as_uint(value);
  if (value != value) return static_cast<Element>(bits >> 16 | 0x40);  // stays NaN when its lower bits are dropped
  return static_cast<Element>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#else
  return value;
#endif
}

__device__ __forceinline__ void unpack(const Vector& vector, float (&values)[kVector]) {
  const unsigned words[4] = {vector.x, vector.y, vector.z, vector.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#if BFLOAT16
    values[2 * i] = __uint_as_float(words[i] << 16);
    values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000);
#else
    values[i] = __uint_as_float(words[i]);
#endif
  }
}

__device__ __forceinline__ Vector loadVector(const Element* elements) {
  return *reinterpret_cast<const Vector*>(elements);
}

__device__ __forceinline__ void storeVector(Element* elements, const Vector& vector) {
  *reinterpret_cast<Vector*>(elements) = vector;
}

/// Loads what a step uses once, so that it needs no room in the L1 cache: weights, and the source's keys and values.
__device__ __forceinline__ Vector loadOnce(const Element* elements) {
#ifdef __CUDA_ARCH__
  Vector vector;
  // Stays before the wait for the previous kernel. The assembler moves "ld.global.nc" after it.
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(vector.x), "=r"(vector.y), "=r"(vector.z), "=r"(vector.w)
               : "l"(elements));
  return vector;
#else
  return loadVector(elements);
#endif
}

/// Tells the compiler what it knows of parameters, but not of pointers in memory.
template <class Type>
__device__ __forceinline__ Type* inGlobalMemory(Type* pointer) {
#ifdef __CUDA_ARCH__
  __builtin_assume(__isGlobal(pointer));
#endif
  return pointer;
}

/// Rounds four values to consecutive elements.
__device__ __forceinline__ void storeFour(Element* elements, const float4& values) {
#if BFLOAT16
  *reinterpret_cast<uint2*>(elements) =
      make_uint2(toElement(values.x) | static_cast<unsigned>(toElement(values.y)) << 16,
                 toElement(values.z) | static_cast<unsigned>(toElement(values.w)) << 16);
#else
  *reinterpret_cast<float4*>(elements) = values;
#endif
}

__device__ __forceinline__ float4 loadFour(const float* values) { return *reinterpret_cast<const float4*>(values); }

__device__ __forceinline__ float4 scaled(const float4& values, float scale) {
  return make_float4(values.x * scale, values.y * scale, values.z * scale, values.w * scale);
}

__device__ __forceinline__ float4 loadFourElements(const Element* elements) {
#if BFLOAT16
  const uint2 words = *reinterpret_cast<const uint2*>(elements);
  return make_float4(__uint_as_float(words.x << 16), __uint_as_float(words.x & 0xffff0000),
                     __uint_as_float(words.y << 16), __uint_as_float(words.y & 0xffff0000));
#else
  return loadFour(elements);
#endif
}

}  // namespace
}  // namespace torch_t5
