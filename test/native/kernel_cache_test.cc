// Tests the cache of compiled kernels without a GPU.
#include "core/kernel_cache.h"

#include <array>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include "harness.h"

namespace torch_t5 {
namespace {

namespace fs = std::filesystem;
using test::expect;

/// A folder that is deleted with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(fs::temp_directory_path() / ("torch-t5-test-" + std::to_string(std::random_device()()))) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  fs::path kernels() const { return path_ / "torch-t5" / "kernels"; }

 private:
  fs::path path_;
};

std::vector<fs::path> filesOf(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

const std::string kValue(
    "\x7f"
    "ELF\0machine code\n",
    18);

void findsWhatWasStored(std::span<char*>) {
  const TemporaryFolder folder;
  const KernelCache cache(folder.kernels());
  expect(!cache.find("key"), "nothing before it is stored");
  cache.store("key", kValue);
  cache.store("other key", "other");
  expect(cache.find("key") == kValue && cache.find("other key") == "other", "each key's own value");
  expect(KernelCache(folder.kernels()).find("key") == kValue, "the value in another process");
  expect(filesOf(folder.kernels()).size() == 2, "one file a key, and no temporary file");
#ifndef _WIN32
  expect(fs::status(folder.kernels()).permissions() == fs::perms::owner_all, "a folder for the user alone");
#endif
}

void comparesTheWholeKey(std::span<char*>) {
  const TemporaryFolder folder;
  const KernelCache cache(folder.kernels());
  cache.store("key", kValue);
  const fs::path file = filesOf(folder.kernels()).front();
  std::string text = read(file);
  text.replace(text.find("key"), 3, "yek");
  write(file, text);
  expect(!cache.find("key"), "nothing for a key whose name collides with the stored one's");
}

void ignoresDamage(std::span<char*>) {
  const TemporaryFolder folder;
  const KernelCache cache(folder.kernels());
  cache.store("key", kValue);
  const fs::path file = filesOf(folder.kernels()).front();
  const std::string whole = read(file);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(file, whole.substr(0, length));
    expect(!cache.find("key"), "nothing from the first " + std::to_string(length) + " bytes");
  }
  for (std::size_t position = 0; position < whole.size(); ++position) {
    std::string damaged = whole;
    damaged[position] = static_cast<char>(damaged[position] ^ 1);
    write(file, damaged);
    expect(!cache.find("key"), "nothing with a wrong byte " + std::to_string(position));
  }
  cache.store("key", kValue);
  expect(cache.find("key") == kValue, "a damaged file to be replaced");
}

void needsNoFolder(std::span<char*>) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path());
  write(folder.path() / "file", "");
  for (const fs::path& path : {fs::path(), folder.path() / "file" / "kernels"}) {
    const KernelCache cache(path);
    cache.store("key", kValue);
    expect(!cache.find("key"), "nothing without a folder");
  }
}

void survivesContention(std::span<char*>) {
  const TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      const KernelCache cache(folder.kernels());
      for (int round = 0; round < 50; ++round) {
        cache.store("key", kValue);
        const auto found = cache.find("key");
        expect(!found || found == kValue, "a whole file or none");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  expect(KernelCache(folder.kernels()).find("key") == kValue, "the stored value");
  expect(filesOf(folder.kernels()).size() == 1, "no temporary file");
}

constexpr std::array<test::Test, 5> kTests{{
    {"finds what it or another process has stored", findsWhatWasStored},
    {"compares the whole key", comparesTheWholeKey},
    {"ignores a truncated or changed file", ignoresDamage},
    {"does nothing without a usable folder", needsNoFolder},
    {"is read and written by several threads at once", survivesContention},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
