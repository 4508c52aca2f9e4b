// Compiled kernels on disk, so that a process need not compile what an earlier one has compiled. Depends on neither
// libtorch nor CUDA.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace torch_t5 {

/// A folder of the user. Each file contains its whole key, so two keys whose names collide replace each other's file
/// and are never confused, and a checksum, so a damaged file counts as missing. Any number of processes may use the
/// folder at the same time. Nothing here throws: without a usable folder, nothing is found and nothing is stored.
class KernelCache {
 public:
  /// An empty path: no folder.
  explicit KernelCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The value of `key`, or none.
  std::optional<std::string> find(std::string_view key) const noexcept;

  /// Stores a value. The file appears as a whole. A folder that this makes is the user's alone.
  void store(std::string_view key, std::string_view value) const noexcept;

 private:
  std::filesystem::path folder_;
};

/// `kernels` in the folder of torch-t5 in the user's cache, the folder that lib/native/libtorch.ts names; empty where
/// the environment names none.
std::filesystem::path kernelCacheFolder();

}  // namespace torch_t5
