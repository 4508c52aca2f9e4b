#include "core/platform/files.h"

#ifdef _WIN32
#include <filesystem>
#include <system_error>
#else
#include <fcntl.h>
#include <sys/stat.h>
#endif

namespace torch_t5 {

#ifdef _WIN32

namespace {

std::filesystem::path wide(const std::string& path) { return std::u8string(path.begin(), path.end()); }

}  // namespace

bool fileExists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(wide(path), ignored);
}

bool isRegularFile(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(wide(path), ignored);
}

std::ifstream openBinaryFile(const std::string& path) { return std::ifstream(wide(path), std::ios::binary); }

std::string pathIn(const std::string& folder, const std::string& name) { return folder + "\\" + name; }

#else

namespace {

/// The file's mode, 0 if there is none.
unsigned modeOf(const std::string& path) {
#ifdef __linux__
  // glibc has had `stat` as a function since 2.33 only.
  struct statx status{};
  return ::statx(AT_FDCWD, path.c_str(), 0, STATX_TYPE, &status) == 0 ? status.stx_mode : 0;
#else
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode : 0;
#endif
}

}  // namespace

bool fileExists(const std::string& path) { return modeOf(path) != 0; }

bool isRegularFile(const std::string& path) { return S_ISREG(modeOf(path)); }

std::ifstream openBinaryFile(const std::string& path) { return std::ifstream(path, std::ios::binary); }

std::string pathIn(const std::string& folder, const std::string& name) { return folder + "/" + name; }

#endif

}  // namespace torch_t5
