// Plain C++, for other processors. Compilers vectorize its short loops.
#include "fused/kernels/kernels_template.h"

namespace torch_t5::kernels {
namespace {

struct Portable {
  static constexpr int kLanes = 8;
  static constexpr int kMaxRows = 4;

  struct Float {
    float values[kLanes];
  };

  template <class Each>
  static Float each(Each&& value) {
    Float result;
    for (int lane = 0; lane < kLanes; ++lane) result.values[lane] = value(lane);
    return result;
  }

  static Float zero() { return broadcast(0.0F); }
  static Float load(const float* from) {
    return each([&](int i) { return from[i]; });
  }
  static void store(float* to, const Float& x) {
    for (int i = 0; i < kLanes; ++i) to[i] = x.values[i];
  }
  static void stream(float* to, const Float& x) { store(to, x); }
  static void streamFence() {}
  static Float broadcast(float x) {
    return each([&](int) { return x; });
  }
  static Float add(const Float& a, const Float& b) {
    return each([&](int i) { return a.values[i] + b.values[i]; });
  }
  static Float subtract(const Float& a, const Float& b) {
    return each([&](int i) { return a.values[i] - b.values[i]; });
  }
  static Float multiply(const Float& a, const Float& b) {
    return each([&](int i) { return a.values[i] * b.values[i]; });
  }
  static Float divide(const Float& a, const Float& b) {
    return each([&](int i) { return a.values[i] / b.values[i]; });
  }
  static Float fma(const Float& a, const Float& b, const Float& c) {
    return each([&](int i) { return a.values[i] * b.values[i] + c.values[i]; });
  }
  static Float max(const Float& a, const Float& b) {
    return each([&](int i) { return a.values[i] > b.values[i] ? a.values[i] : b.values[i]; });
  }
  static Float min(const Float& a, const Float& b) {
    return each([&](int i) { return a.values[i] < b.values[i] ? a.values[i] : b.values[i]; });
  }
  static Float absolute(const Float& x) {
    return each([&](int i) { return fabsf(x.values[i]); });
  }
  static Float round(const Float& x) {
    return each([&](int i) { return nearbyintf(x.values[i]); });
  }
  static Float scaleByPowerOf2(const Float& x, const Float& n) {
    return each([&](int i) { return ldexpf(x.values[i], static_cast<int>(n.values[i])); });
  }
  static Float zeroWhereLess(const Float& x, float bound, const Float& result) {
    return each([&](int i) { return x.values[i] < bound ? 0.0F : result.values[i]; });
  }
  static float reduceAdd(const Float& x) {
    float sum = 0;
    for (const float value : x.values) sum += value;
    return sum;
  }
  static float reduceMax(const Float& x) {
    float maximum = x.values[0];
    for (const float value : x.values) maximum = value > maximum ? value : maximum;
    return maximum;
  }

  static float asFloat(std::uint32_t word) {
    float number = 0;
    memcpy(&number, &word, sizeof number);
    return number;
  }
  static std::uint32_t asWord(float number) {
    std::uint32_t word = 0;
    memcpy(&word, &number, sizeof word);
    return word;
  }
  static Float loadWords(const std::uint32_t* from) {
    Float result;
    memcpy(result.values, from, sizeof result.values);
    return result;
  }
  static Float broadcastWord(std::uint32_t word) { return broadcast(asFloat(word)); }
  static constexpr bool kHasTranspose = false;
  static void prefetch(const void*) {}

  static Float toFloat(const Float& accumulator, const std::int32_t* compensation) {
    return each([&](int i) {
      return static_cast<float>(static_cast<std::int32_t>(asWord(accumulator.values[i])) - compensation[i]);
    });
  }
  static void storeBytes(std::uint8_t* to, const Float& x) {
    for (int i = 0; i < kLanes; ++i)
      to[i] = static_cast<std::uint8_t>(kInt8ZeroPoint + static_cast<int>(nearbyintf(x.values[i])));
  }
  static void storeBf16(std::uint16_t* to, const Float& x) {
    for (int i = 0; i < kLanes; ++i) to[i] = toBf16(x.values[i]);
  }

  struct Float32Dot {
    static constexpr bool kIsInteger = false;
    static Float dot(const Float& accumulator, const Float& word, const Float& column) {
      return fma(word, column, accumulator);
    }
  };

  struct Bf16Dot {
    static constexpr bool kIsInteger = false;
    static Float dot(const Float& accumulator, const Float& word, const Float& column) {
      return each([&](int i) {
        const std::uint32_t a = asWord(word.values[i]);
        const std::uint32_t b = asWord(column.values[i]);
        const float first = asFloat(a << 16) * asFloat(b << 16) + accumulator.values[i];
        return asFloat(a & 0xFFFF0000U) * asFloat(b & 0xFFFF0000U) + first;
      });
    }
  };

  struct Int8Dot {
    static constexpr bool kIsInteger = true;
    static Float dot(const Float& accumulator, const Float& word, const Float& column) {
      return each([&](int i) {
        const std::uint32_t a = asWord(word.values[i]);
        const std::uint32_t b = asWord(column.values[i]);
        std::int32_t total = static_cast<std::int32_t>(asWord(accumulator.values[i]));
        for (int byte = 0; byte < 4; ++byte)
          total += static_cast<std::int32_t>((a >> (8 * byte)) & 0xFFU) * static_cast<std::int8_t>(b >> (8 * byte));
        return asFloat(static_cast<std::uint32_t>(total));
      });
    }
  };
};

constexpr Kernels kKernels = makeKernels<Portable>("portable");

}  // namespace

const Kernels* portableKernels() { return &kKernels; }

}  // namespace torch_t5::kernels
