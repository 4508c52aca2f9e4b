// The directory of a zip file, checked before libtorch opens the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace torch_t5 {

struct ZipRecord {
  std::string name;          // without the archive's folder: `data/0`
  std::uint64_t offset = 0;  // of its first byte in the file
  std::uint64_t bytes = 0;   // uncompressed
  bool isCompressed = false;
};

/// The records of an archive that torch.jit.save wrote, in the directory's order. Reads the directory and the header of
/// each record, not the data.
///
/// Throws std::runtime_error, whose text is the reason, if the file is not a zip file that ends with its directory; if
/// a record is outside the file or overlaps another, has two different sizes or names, or has the name of another; if a
/// name is not a relative path in one folder; for compressed tensors; and for code or pickles of more than 16 MiB.
std::vector<ZipRecord> readZipDirectory(const std::string& path);

}  // namespace torch_t5
