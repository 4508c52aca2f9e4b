#include "core/kernel_cache.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>

namespace torch_t5 {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "torch-t5 kernel 1\n";

/// FNV-1a. It names files and detects damage; keys are compared as a whole.
std::uint64_t hashOf(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char character : text) {
    hash ^= static_cast<unsigned char>(character);
    hash *= 0x100000001b3;
  }
  return hash;
}

std::string toHex(std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, number >>= 4) *digit = kDigits[number & 15];
  return text;
}

/// The file of a key and a value: the magic, the key's length, the key, the value's checksum, the value.
std::string headerOf(std::string_view key, std::string_view value) {
  std::string header(kMagic);
  header += toHex(key.size());
  header += key;
  header += toHex(hashOf(value));
  return header;
}

std::string readFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A name that no other process uses.
std::string temporaryName(const std::string& name) {
  std::random_device random;
  return name + "." + toHex((std::uint64_t{random()} << 32) | random()) + ".tmp";
}

void writeAtomically(const fs::path& folder, const std::string& name, std::string_view header, std::string_view value) {
  const fs::path temporary = folder / temporaryName(name);
  std::error_code failure;
  {
    std::ofstream file(temporary, std::ios::binary);
    file.write(header.data(), static_cast<std::streamsize>(header.size()));
    file.write(value.data(), static_cast<std::streamsize>(value.size()));
    file.close();
    if (file.fail()) failure = std::make_error_code(std::errc::io_error);
  }
  if (!failure) fs::rename(temporary, folder / name, failure);
  std::error_code ignored;
  if (failure) fs::remove(temporary, ignored);
}

/// A variable of the environment as a path; empty if it is not set.
fs::path environmentPath(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

fs::path userCacheFolder() {
#ifdef _WIN32
  return environmentPath("LOCALAPPDATA");
#else
  const fs::path home = environmentPath("HOME");
#ifdef __APPLE__
  return home.empty() ? home : home / "Library" / "Caches";
#else
  const fs::path cache = environmentPath("XDG_CACHE_HOME");
  if (!cache.empty()) return cache;
  return home.empty() ? home : home / ".cache";
#endif
#endif
}

}  // namespace

std::optional<std::string> KernelCache::find(std::string_view key) const noexcept {
  try {
    if (folder_.empty()) return std::nullopt;
    const std::string file = readFile(folder_ / toHex(hashOf(key)));
    const std::size_t headerSize = headerOf(key, {}).size();
    if (file.size() <= headerSize) return std::nullopt;
    std::string value = file.substr(headerSize);
    if (!file.starts_with(headerOf(key, value))) return std::nullopt;
    return value;
  } catch (...) {
    return std::nullopt;
  }
}

void KernelCache::store(std::string_view key, std::string_view value) const noexcept {
  try {
    if (folder_.empty()) return;
    if (fs::create_directories(folder_)) fs::permissions(folder_, fs::perms::owner_all);
    writeAtomically(folder_, toHex(hashOf(key)), headerOf(key, value), value);
  } catch (...) {
    // The kernel is compiled again next time.
  }
}

fs::path kernelCacheFolder() {
  const fs::path cache = userCacheFolder();
  return cache.is_absolute() ? cache / "torch-t5" / "kernels" : fs::path();
}

}  // namespace torch_t5
