// A file that several threads read at any offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace torch_t5 {

/// An open regular file. Its content is copied, never mapped: a mapped file that shrinks would end the process.
class FileReader {
 public:
  /// Throws std::system_error if the file can't be opened or isn't a regular one.
  explicit FileReader(const std::string& path);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  /// Its size in bytes when it was opened.
  std::uint64_t size() const { return size_; }

  /// Fills `bytes` from `offset` on. Returns false if the file ends before or can't be read.
  bool read(std::uint64_t offset, std::span<std::byte> bytes) const noexcept;

 private:
#ifdef _WIN32
  void* handle_ = nullptr;
#else
  int descriptor_ = -1;
#endif
  std::uint64_t size_ = 0;
};

}  // namespace torch_t5
