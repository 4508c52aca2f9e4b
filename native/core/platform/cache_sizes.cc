#include "core/platform/cache_sizes.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#include <vector>
#elif defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>
#include <initializer_list>
#else
#include <cstdio>
#include <cstring>
#endif

namespace torch_t5 {

#if defined(_WIN32)

CacheSizes cacheSizes() noexcept {
  CacheSizes sizes;
  try {
    DWORD bytes = 0;
    GetLogicalProcessorInformation(nullptr, &bytes);
    std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> parts(bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
    if (parts.empty() || !GetLogicalProcessorInformation(parts.data(), &bytes)) return {};
    for (const SYSTEM_LOGICAL_PROCESSOR_INFORMATION& part : parts) {
      const bool isOfFirstCore = (part.ProcessorMask & 1) != 0;
      if (part.Relationship != RelationCache || !isOfFirstCore || part.Cache.Type == CacheInstruction) continue;
      if (part.Cache.Level == 1) sizes.level1 = part.Cache.Size;
      if (part.Cache.Level == 2) sizes.level2 = part.Cache.Size;
      if (part.Cache.Level == 3) sizes.level3 = part.Cache.Size;
    }
  } catch (...) {
    return {};
  }
  return sizes;
}

#elif defined(__APPLE__)

namespace {

/// The number of bytes that one of the names has; 0 for none.
template <class... Names>
std::int64_t read(Names... names) noexcept {
  for (const char* name : {names...}) {
    std::int64_t bytes = 0;
    std::size_t size = sizeof bytes;
    if (sysctlbyname(name, &bytes, &size, nullptr, 0) == 0 && bytes > 0) return bytes;
  }
  return 0;
}

}  // namespace

CacheSizes cacheSizes() noexcept {
  // "perflevel0" are the fast cores of a processor with several kinds.
  return {read("hw.perflevel0.l1dcachesize", "hw.l1dcachesize"), read("hw.perflevel0.l2cachesize", "hw.l2cachesize"),
          read("hw.perflevel0.l3cachesize", "hw.l3cachesize")};
}

#else

namespace {

/// The first word of a file of Linux's description of a cache. False: there is no such file.
bool readWord(int index, const char* name, char (&word)[32]) noexcept {
  char path[96];
  std::snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return false;
  const bool isRead = std::fscanf(file, "%31s", word) == 1;
  std::fclose(file);
  return isRead;
}

}  // namespace

CacheSizes cacheSizes() noexcept {
  CacheSizes sizes;
  char word[32];
  for (int index = 0; readWord(index, "type", word); ++index) {
    if (std::strcmp(word, "Instruction") == 0) continue;
    int level = 0;
    if (!readWord(index, "level", word) || std::sscanf(word, "%d", &level) != 1) continue;
    long long count = 0;
    char unit = ' ';
    if (!readWord(index, "size", word) || std::sscanf(word, "%lld%c", &count, &unit) < 1 || count <= 0) continue;
    const std::int64_t bytes = count * (unit == 'K' ? std::int64_t{1} << 10 : unit == 'M' ? std::int64_t{1} << 20 : 1);
    if (level == 1) sizes.level1 = bytes;
    if (level == 2) sizes.level2 = bytes;
    if (level == 3) sizes.level3 = bytes;
  }
  return sizes;
}

#endif

}  // namespace torch_t5
