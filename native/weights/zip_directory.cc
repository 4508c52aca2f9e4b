#include "weights/zip_directory.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/platform/files.h"

namespace torch_t5 {
namespace {

// Sizes and signatures of the format: PKWARE's APPNOTE.TXT, section 4.3.
constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kCentralHeaderBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kEnd64LocatorBytes = 20;
constexpr std::uint16_t kExtra64 = 1;  // sizes and offsets of 64 bits
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint16_t kSizesAfterData = 1U << 3U;
constexpr std::uint16_t kUtf8Name = 1U << 11U;
constexpr std::uint32_t kIn64 = 0xffffffff;

// The largest T5 exports have about 10^4 records, with 3 MiB of code.
constexpr std::uint64_t kMaxRecords = 1'000'000;
constexpr std::uint64_t kMaxNameBytes = 4096;
constexpr std::uint64_t kMaxDirectoryBytes = 256U << 20U;
constexpr std::uint64_t kMaxTextBytes = 16U << 20U;  // all code, and all pickles, uncompressed

[[noreturn]] void refuse(const std::string& reason) { throw std::runtime_error(reason); }

/// A little-endian number; the caller checks that it is inside.
template <typename Number>
Number numberAt(std::string_view bytes, std::size_t position) {
  Number number = 0;
  for (std::size_t index = 0; index < sizeof(Number); ++index) {
    number |=
        static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(bytes[position + index])) << (8 * index));
  }
  return number;
}

std::uint16_t u16(std::string_view bytes, std::size_t position) { return numberAt<std::uint16_t>(bytes, position); }
std::uint32_t u32(std::string_view bytes, std::size_t position) { return numberAt<std::uint32_t>(bytes, position); }
std::uint64_t u64(std::string_view bytes, std::size_t position) { return numberAt<std::uint64_t>(bytes, position); }

class File {
 public:
  explicit File(const std::string& path) : stream_(openBinaryFile(path)) {
    stream_.seekg(0, std::ios::end);
    const auto end = stream_.tellg();
    if (!stream_ || end < 0) refuse("a file that can't be read");
    size_ = static_cast<std::uint64_t>(end);
  }

  std::uint64_t size() const { return size_; }

  std::string read(std::uint64_t offset, std::uint64_t bytes) {
    if (offset > size_ || bytes > size_ - offset) refuse("a zip file that ends early");
    std::string text(bytes, '\0');
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(text.data(), static_cast<std::streamsize>(bytes));
    if (!stream_) refuse("a zip file that ends early");
    return text;
  }

 private:
  std::ifstream stream_;
  std::uint64_t size_ = 0;
};

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
};

/// Reads the end of the file, which has no comment: libtorch and Python write none.
Directory findDirectory(File& file) {
  if (file.size() < kEndBytes) refuse("no zip file");
  const std::uint64_t endOffset = file.size() - kEndBytes;
  const std::string end = file.read(endOffset, kEndBytes);
  if (u32(end, 0) != kEnd || u16(end, 20) != 0) refuse("no directory at the end of the zip file");
  Directory directory{u32(end, 16), u32(end, 12), u16(end, 10)};
  bool isOneFile = u16(end, 4) == 0 && u16(end, 6) == 0 && u16(end, 8) == u16(end, 10);
  std::uint64_t directoryEnd = endOffset;
  if (endOffset >= kEnd64LocatorBytes + kEnd64Bytes) {
    const std::string ends = file.read(endOffset - kEnd64LocatorBytes - kEnd64Bytes, kEnd64Bytes + kEnd64LocatorBytes);
    if (u32(ends, kEnd64Bytes) == kEnd64Locator) {
      directoryEnd = endOffset - kEnd64LocatorBytes - kEnd64Bytes;
      if (u32(ends, 0) != kEnd64 || u64(ends, kEnd64Bytes + 8) != directoryEnd)
        refuse("no directory at the end of the zip file");
      directory = {u64(ends, 48), u64(ends, 40), u64(ends, 32)};
      isOneFile = u32(ends, 16) == 0 && u32(ends, 20) == 0 && u64(ends, 24) == u64(ends, 32);
    }
  }
  if (!isOneFile) refuse("a part of a zip file");
  if (directory.bytes > directoryEnd || directory.offset != directoryEnd - directory.bytes)
    refuse("a zip file whose directory is elsewhere");
  if (directory.records > kMaxRecords || directory.bytes > kMaxDirectoryBytes) refuse("too large a directory");
  return directory;
}

/// One entry of the directory.
struct Entry {
  std::string name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint64_t compressedBytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t headerOffset = 0;
};

/// Reads the numbers of 64 bits for those that don't fit into the header.
void widen(std::string_view extra, std::span<std::uint64_t* const> numbers) {
  while (extra.size() >= 4) {
    const std::uint16_t kind = u16(extra, 0);
    const std::uint16_t length = u16(extra, 2);
    extra.remove_prefix(4);
    if (length > extra.size()) break;
    if (kind == kExtra64) {
      std::size_t position = 0;
      for (std::uint64_t* number : numbers) {
        if (*number != kIn64) continue;
        if (position + 8 > length) refuse("a record without its size");
        *number = u64(extra, position);
        position += 8;
      }
      return;
    }
    extra.remove_prefix(length);
  }
  if (std::any_of(numbers.begin(), numbers.end(), [](const std::uint64_t* number) { return *number == kIn64; }))
    refuse("a record without its size");
}

std::vector<Entry> readEntries(File& file, const Directory& directory) {
  const std::string bytes = file.read(directory.offset, directory.bytes);
  std::string_view rest = bytes;
  std::vector<Entry> entries;
  for (std::uint64_t index = 0; index < directory.records; ++index) {
    if (rest.size() < kCentralHeaderBytes || u32(rest, 0) != kCentralHeader) refuse("a damaged directory");
    const std::size_t nameBytes = u16(rest, 28);
    const std::size_t extraBytes = u16(rest, 30);
    const std::size_t total = kCentralHeaderBytes + nameBytes + extraBytes + u16(rest, 32);
    if (total > rest.size()) refuse("a damaged directory");
    Entry entry{.name = std::string(rest.substr(kCentralHeaderBytes, nameBytes)),
                .flags = u16(rest, 8),
                .method = u16(rest, 10),
                .compressedBytes = u32(rest, 20),
                .bytes = u32(rest, 24),
                .headerOffset = u32(rest, 42)};
    if (u16(rest, 34) != 0) refuse("a part of a zip file");
    widen(rest.substr(kCentralHeaderBytes + nameBytes, extraBytes),
          std::array{&entry.bytes, &entry.compressedBytes, &entry.headerOffset});
    entries.push_back(std::move(entry));
    rest.remove_prefix(total);
  }
  if (!rest.empty()) refuse("a damaged directory");
  return entries;
}

/// A path such as `model/data/0`: relative, without `.`, `..`, backslashes, drives or control characters.
void checkName(std::string_view name) {
  const auto isBad = [](char character) {
    return static_cast<unsigned char>(character) < 0x20 || character == 0x7f || character == '\\' || character == ':';
  };
  if (name.empty() || name.size() > kMaxNameBytes || std::any_of(name.begin(), name.end(), isBad))
    refuse("a record with a bad name");
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") refuse("a record with the path " + std::string(name));
    begin = end + 1;
  }
}

std::string lowercase(std::string text) {
  // libtorch ignores the case of ASCII letters.
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

bool isTensor(std::string_view name) { return name.starts_with("data/") || name.starts_with("constants/"); }

/// Checks that the header of a record agrees with the directory. Returns where its data begin.
std::uint64_t dataOffset(File& file, const Entry& entry) {
  const std::string header = file.read(entry.headerOffset, kLocalHeaderBytes);
  const std::string name = " of the record " + entry.name;
  if (u32(header, 0) != kLocalHeader) refuse("no header" + name);
  const std::uint16_t nameBytes = u16(header, 26);
  const std::uint16_t extraBytes = u16(header, 28);
  const std::string rest = file.read(entry.headerOffset + kLocalHeaderBytes, std::uint64_t{nameBytes} + extraBytes);
  if (std::string_view(rest).substr(0, nameBytes) != entry.name) refuse("two names" + name);
  if (u16(header, 8) != entry.method || u16(header, 6) != entry.flags) refuse("two methods" + name);
  if ((entry.flags & kSizesAfterData) == 0) {
    std::uint64_t compressedBytes = u32(header, 18);
    std::uint64_t bytes = u32(header, 22);
    widen(std::string_view(rest).substr(nameBytes), std::array{&bytes, &compressedBytes});
    if (bytes != entry.bytes || compressedBytes != entry.compressedBytes) refuse("two sizes" + name);
  }
  return entry.headerOffset + kLocalHeaderBytes + nameBytes + extraBytes;
}

struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

void checkOverlaps(std::vector<Extent> extents) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  for (std::size_t index = 1; index < extents.size(); ++index) {
    if (extents[index].begin < extents[index - 1].end) refuse("records that overlap");
  }
}

}  // namespace

std::vector<ZipRecord> readZipDirectory(const std::string& path) {
  File file(path);
  const Directory directory = findDirectory(file);
  std::vector<ZipRecord> records;
  std::vector<Extent> extents;
  std::unordered_set<std::string> names;
  std::string folder;
  std::uint64_t textBytes = 0;
  for (Entry& entry : readEntries(file, directory)) {
    checkName(entry.name);
    if (folder.empty()) folder = entry.name.substr(0, entry.name.find('/') + 1);
    if (folder.empty() || !entry.name.starts_with(folder)) refuse("records in several folders");
    if (!names.insert(lowercase(entry.name)).second) refuse("two records with the name " + entry.name);
    if ((entry.flags & ~(kSizesAfterData | kUtf8Name)) != 0) refuse("the encrypted record " + entry.name);
    if (entry.method != kStored && entry.method != kDeflated)
      refuse("the record " + entry.name + " in an unknown compression");
    std::string name = entry.name.substr(folder.size());
    const bool isCompressed = entry.method == kDeflated;
    if (isCompressed && isTensor(name)) refuse("the compressed tensor " + entry.name);
    if (!isCompressed && entry.bytes != entry.compressedBytes) refuse("two sizes of the record " + entry.name);
    const bool isSourceMap = name.ends_with(".debug_pkl");  // never read
    if (!isTensor(name) && !isSourceMap) {
      if (entry.bytes > kMaxTextBytes - textBytes) refuse("more than 16 MiB of code");
      textBytes += entry.bytes;
    }
    const std::uint64_t offset = dataOffset(file, entry);
    if (offset > directory.offset || entry.compressedBytes > directory.offset - offset)
      refuse("the record " + entry.name + ", which is not inside the file");
    extents.push_back({entry.headerOffset, offset + entry.compressedBytes});
    records.push_back({std::move(name), offset, entry.bytes, isCompressed});
  }
  checkOverlaps(std::move(extents));
  return records;
}

}  // namespace torch_t5
