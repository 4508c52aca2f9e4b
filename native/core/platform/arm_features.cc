#include "core/platform/arm_features.h"

#if defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#endif
#if defined(__APPLE__) && defined(__aarch64__)
#include <sys/sysctl.h>

#include <cstddef>
#endif

namespace torch_t5 {

#if defined(__linux__) && defined(__aarch64__)

/// By the bits of Linux's "ELF hwcaps": older headers do not name all of them.
ArmFeatures armFeatures() {
  constexpr unsigned long kAsimdDp = 1UL << 20;
  constexpr unsigned long kI8mm = 1UL << 13;
  constexpr unsigned long kBf16 = 1UL << 14;
  const unsigned long first = getauxval(AT_HWCAP);
  const unsigned long second = getauxval(AT_HWCAP2);
  return {(first & kAsimdDp) != 0, (second & kBf16) != 0, (second & kI8mm) != 0};
}

#elif defined(__APPLE__) && defined(__aarch64__)

namespace {

/// Systems that do not know a feature have no such name.
bool has(const char* name) {
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

}  // namespace

ArmFeatures armFeatures() {
  return {has("hw.optional.arm.FEAT_DotProd"), has("hw.optional.arm.FEAT_BF16"), has("hw.optional.arm.FEAT_I8MM")};
}

#else

ArmFeatures armFeatures() { return {}; }

#endif

}  // namespace torch_t5
