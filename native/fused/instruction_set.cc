#include "fused/instruction_set.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/platform/arm_features.h"

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif
#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define TORCH_T5_GNU_X86
#include <cpuid.h>
#endif
#if defined(__linux__) && defined(__x86_64__)
#define TORCH_T5_LINUX_X86
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace torch_t5 {
namespace {

using kernels::Kernels;

struct InstructionSets {
  bool avx2 = false;
  bool avx2Vnni = false;
  bool avx512 = false;
  bool avx512Bf16 = false;
};

/// Whether the processor has AMX, by the CPUID bits of Intel's manual, and Linux permits its use. A process must
/// request that permission, because tiles enlarge the saved state of its threads.
bool requestAmx() {
#ifdef TORCH_T5_LINUX_X86
  constexpr unsigned kTiles = 1U << 24;
  constexpr unsigned kBfloat16 = 1U << 22;
  constexpr unsigned kInt8 = 1U << 25;
  constexpr unsigned kAll = kTiles | kBfloat16 | kInt8;
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kAll) == kAll &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

#ifdef TORCH_T5_GNU_X86
/// By the CPUID bit of Intel's manual, for which older compilers have no name.
bool hasAvxVnni() {
  constexpr unsigned kAvxVnni = 1U << 4;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & kAvxVnni) != 0;
}

InstructionSets detect() {
  __builtin_cpu_init();
  InstructionSets found;
  found.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  found.avx2Vnni = found.avx2 && hasAvxVnni();
  found.avx512 = found.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  found.avx512Bf16 = found.avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
  return found;
}
#elif defined(_MSC_VER) && defined(_M_X64)
constexpr bool bit(int word, int index) { return ((word >> index) & 1) != 0; }

/// By the bits of CPUID and XCR0 in Intel's manual.
InstructionSets detect() {
  int leaf1[4];
  int leaf7[4];
  int leaf7Part1[4];
  __cpuidex(leaf1, 1, 0);
  __cpuidex(leaf7, 7, 0);
  __cpuidex(leaf7Part1, 7, 1);
  InstructionSets found;
  if (!bit(leaf1[2], 27)) return found;
  const auto saved = static_cast<int>(_xgetbv(0));
  found.avx2 = (saved & 0x6) == 0x6 && bit(leaf1[2], 12) && bit(leaf7[1], 5);
  found.avx2Vnni = found.avx2 && bit(leaf7Part1[0], 4);
  found.avx512 = found.avx2 && (saved & 0xE6) == 0xE6 && bit(leaf7[1], 16) && bit(leaf7[1], 17) && bit(leaf7[1], 30) &&
                 bit(leaf7[1], 31);
  found.avx512Bf16 = found.avx512 && bit(leaf7[2], 11) && bit(leaf7Part1[0], 5);
  return found;
}
#else
InstructionSets detect() { return {}; }
#endif

/// The kernels that this processor can run and the environment permits, the best first.
std::vector<const Kernels*> listUsableKernels() {
  const char* variable = std::getenv("ATEN_CPU_CAPABILITY");
  const std::string_view limit = variable == nullptr ? "" : variable;
  InstructionSets usable = detect();
  if (limit == "avx2" || limit == "default") usable.avx512 = usable.avx512Bf16 = false;
  if (limit == "default") usable.avx2 = usable.avx2Vnni = false;
  const ArmFeatures arm = limit == "default" ? ArmFeatures{} : armFeatures();
  std::vector<const Kernels*> found;
  const auto add = [&](bool isUsable, const Kernels* kernels) {
    if (isUsable && kernels != nullptr) found.push_back(kernels);
  };
  const bool mayUseAmx = limit.empty() && usable.avx512Bf16 && kernels::amxKernels() != nullptr;
  add(mayUseAmx && requestAmx(), kernels::amxKernels());
  add(usable.avx512Bf16, kernels::avx512Bf16Kernels());
  add(usable.avx512, kernels::avx512Kernels());
  add(usable.avx2Vnni, kernels::avx2VnniKernels());
  add(usable.avx2, kernels::avx2Kernels());
  add(arm.bf16 && arm.i8mm, kernels::neonMatrixKernels());
  add(arm.dotProduct, kernels::neonDotProductKernels());
  add(true, kernels::neonKernels());
  add(true, kernels::portableKernels());
  return found;
}

}  // namespace

const std::vector<const Kernels*>& usableKernels() {
  static const std::vector<const Kernels*> usable = listUsableKernels();
  return usable;
}

const Kernels& bestKernels() { return *usableKernels().front(); }

}  // namespace torch_t5
