#include "weights/weight_memory.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/errors.h"
#include "core/platform/files.h"
#include "core/platform/huge_pages.h"

namespace torch_t5 {
namespace {

constexpr std::string_view kFolder = "data/";
constexpr std::uintptr_t kBoundary = 64;  // bytes: a cache line, an AVX-512 register, and the alignment of at::empty

std::size_t roundUp(std::size_t value) { return (value + kBoundary - 1) / kBoundary * kBoundary; }

std::uintptr_t offsetOf(const at::Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % kBoundary;
}

at::Tensor copyToOffset(const at::Tensor& weight, std::uintptr_t offset) {
  const auto spare = static_cast<std::int64_t>(kBoundary / weight.itemsize());
  const at::Tensor memory = at::empty({weight.numel() + spare}, weight.options());
  const std::uintptr_t skipped = (offset + kBoundary - offsetOf(memory)) % kBoundary;
  const at::Tensor copy =
      memory.narrow(0, static_cast<std::int64_t>(skipped / weight.itemsize()), weight.numel()).view(weight.sizes());
  // Not copy_: starting libtorch's threads for each weight takes longer than the copy.
  std::memcpy(copy.data_ptr(), weight.data_ptr(), weight.nbytes());
  return copy;
}

[[noreturn]] void refuse(const std::string& name) {
  throw Error(ErrorCode::kModelCorrupt, "Expected a weight of model.pt for each line of its " +
                                            std::string(WeightAlignment::kRecord) + " but received " + name);
}

}  // namespace

WeightArena::WeightArena(const std::vector<ZipRecord>& records, std::string path, std::uintptr_t offset)
    : path_(std::move(path)) {
  std::size_t size = 0;
  for (const ZipRecord& record : records) {
    if (!record.name.starts_with(kFolder)) continue;
    records_.push_back({record.name.substr(kFolder.size()), record.offset, record.bytes, size + offset});
    size += roundUp(offset + record.bytes);
  }
  memory_ = at::empty({static_cast<std::int64_t>(size)}, at::kByte);
  preferHugePages(memory_.data_ptr(), size);
}

std::shared_ptr<torch::jit::DeserializationStorageContext> WeightArena::storages() const {
  auto context = std::make_shared<torch::jit::DeserializationStorageContext>();
  for (const Record& record : records_) {
    auto owner = std::make_unique<at::Tensor>(memory_);
    at::DataPtr data(
        addressOf(record), owner.release(), [](void* held) { delete static_cast<at::Tensor*>(held); }, at::kCPU);
    context->addStorage(record.name, c10::Storage(c10::Storage::use_byte_size_t(), record.bytes, std::move(data),
                                                  /*allocator=*/nullptr, /*resizable=*/false));
  }
  return context;
}

void WeightArena::read() const {
  std::ifstream file = openBinaryFile(path_);
  for (const Record& record : records_) {
    file.seekg(static_cast<std::streamoff>(record.fileOffset));
    file.read(addressOf(record), static_cast<std::streamsize>(record.bytes));
    if (!file) throw Error(ErrorCode::kModelCorrupt, "Expected the whole of model.pt but received one that ends early");
  }
}

std::optional<std::uint64_t> WeightArena::fileOffsetOf(const at::Tensor& tensor) const {
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
  for (const Record& record : records_) {
    const auto begin = reinterpret_cast<std::uintptr_t>(addressOf(record));
    if (address >= begin && address - begin < record.bytes) return record.fileOffset + (address - begin);
  }
  return std::nullopt;
}

char* WeightArena::addressOf(const Record& record) const {
  return static_cast<char*>(memory_.data_ptr()) + record.arenaOffset;
}

WeightAlignment::WeightAlignment(const std::string& record) {
  std::istringstream lines(record);
  std::uintptr_t offset = 0;
  std::string name;
  while (lines >> offset >> name) {
    if (offset >= kBoundary) refuse(name);
    offsets_.emplace(name, offset);
  }
}

std::uintptr_t WeightAlignment::commonOffset() const {
  std::array<std::size_t, kBoundary> counts{};
  for (const auto& [name, offset] : offsets_) ++counts[offset];
  return static_cast<std::uintptr_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

void WeightAlignment::apply(const torch::jit::Module& module) const {
  std::size_t found = 0;
  std::unordered_map<const void*, at::Tensor> copies;  // by the address of the original
  for (const auto& [name, weight] : module.named_parameters()) {
    const auto recorded = offsets_.find(name);
    const std::uintptr_t offset = recorded == offsets_.end() ? 0 : recorded->second;
    if (recorded != offsets_.end()) ++found;
    if (offsetOf(weight) == offset) continue;
    if (!weight.is_contiguous() || offset % weight.itemsize() != 0) refuse(name);
    at::Tensor& copy = copies[weight.data_ptr()];
    if (!copy.defined()) copy = copyToOffset(weight, offset);
    weight.set_data(copy.view(weight.sizes()));
  }
  if (found != offsets_.size()) refuse(std::to_string(offsets_.size() - found) + " others");
}

}  // namespace torch_t5
