#include "core/platform/file_reader.h"

#include <algorithm>
#include <system_error>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <filesystem>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#endif

namespace torch_t5 {
namespace {

/// The maximum of one read: systems limit it to less than 2 GiB.
constexpr std::size_t kMaxReadBytes = std::size_t{1} << 30;

}  // namespace

#ifdef _WIN32

FileReader::FileReader(const std::string& path) {
  const std::filesystem::path wide(std::u8string(path.begin(), path.end()));
  handle_ = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr);
  const auto code = [] { return std::error_code(static_cast<int>(GetLastError()), std::system_category()); };
  if (handle_ == INVALID_HANDLE_VALUE) throw std::system_error(code());
  LARGE_INTEGER size{};
  if (GetFileType(handle_) != FILE_TYPE_DISK || !GetFileSizeEx(handle_, &size)) {
    const std::error_code reason = code();
    CloseHandle(handle_);
    throw std::system_error(reason);
  }
  size_ = static_cast<std::uint64_t>(size.QuadPart);
}

FileReader::~FileReader() { CloseHandle(handle_); }

bool FileReader::read(std::uint64_t offset, std::span<std::byte> bytes) const noexcept {
  while (!bytes.empty()) {
    OVERLAPPED position{};
    position.Offset = static_cast<DWORD>(offset);
    position.OffsetHigh = static_cast<DWORD>(offset >> 32U);
    DWORD count = 0;
    const auto wanted = static_cast<DWORD>(std::min(bytes.size(), kMaxReadBytes));
    if (!ReadFile(handle_, bytes.data(), wanted, &count, &position) || count == 0) return false;
    offset += count;
    bytes = bytes.subspan(count);
  }
  return true;
}

#else

namespace {

/// The size of a regular file; none of anything else, with `errno` set.
std::optional<std::uint64_t> sizeOf(int descriptor) {
#ifdef __linux__
  // glibc has had `fstat` as a function since 2.33 only.
  struct statx status{};
  if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &status) != 0) return std::nullopt;
  if (S_ISREG(status.stx_mode)) return status.stx_size;
#else
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return std::nullopt;
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
#endif
  errno = EINVAL;
  return std::nullopt;
}

}  // namespace

FileReader::FileReader(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category());
  const std::optional<std::uint64_t> size = sizeOf(descriptor_);
  if (!size) {
    const int failure = errno;
    close(descriptor_);
    throw std::system_error(failure, std::generic_category());
  }
  size_ = *size;
}

FileReader::~FileReader() { close(descriptor_); }

bool FileReader::read(std::uint64_t offset, std::span<std::byte> bytes) const noexcept {
  while (!bytes.empty()) {
    const ssize_t count =
        pread(descriptor_, bytes.data(), std::min(bytes.size(), kMaxReadBytes), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

#endif

}  // namespace torch_t5
