#include "weights/weight_arena.h"

#include <ATen/ops/empty.h>

#include <fstream>
#include <string_view>
#include <utility>

#include "core/errors.h"
#include "core/platform/huge_pages.h"

namespace torch_t5 {
namespace {

constexpr std::string_view kFolder = "data/";
constexpr std::size_t kBoundary = 64;  // bytes; at::empty aligns to it

std::size_t roundUp(std::size_t value, std::size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

WeightArena::WeightArena(caffe2::serialize::PyTorchStreamReader& reader, std::filesystem::path path,
                         std::uintptr_t place)
    : path_(std::move(path)) {
  std::size_t size = 0;
  for (const std::string& name : reader.getAllRecords()) {
    if (!std::string_view(name).starts_with(kFolder)) continue;
    const std::size_t bytes = reader.getRecordSize(name);
    records_.push_back({name.substr(kFolder.size()), reader.getRecordOffset(name), bytes, size + place});
    size += roundUp(place + bytes, kBoundary);
  }
  memory_ = at::empty({static_cast<std::int64_t>(size)}, at::kByte);
  preferHugePages(memory_.data_ptr(), size);
}

std::shared_ptr<torch::jit::DeserializationStorageContext> WeightArena::storages() const {
  auto context = std::make_shared<torch::jit::DeserializationStorageContext>();
  for (const Record& record : records_) {
    auto owner = std::make_unique<at::Tensor>(memory_);
    at::DataPtr data(at(record), owner.release(), [](void* held) { delete static_cast<at::Tensor*>(held); }, at::kCPU);
    context->addStorage(record.name, c10::Storage(c10::Storage::use_byte_size_t(), record.bytes, std::move(data),
                                                  /*allocator=*/nullptr, /*resizable=*/false));
  }
  return context;
}

void WeightArena::read() const {
  std::ifstream file(path_, std::ios::binary);
  for (const Record& record : records_) {
    file.seekg(static_cast<std::streamoff>(record.fileOffset));
    file.read(at(record), static_cast<std::streamsize>(record.bytes));
    if (!file) throw Error(ErrorCode::kModelCorrupt, "Expected the whole of model.pt but received one that ends early");
  }
}

char* WeightArena::at(const Record& record) const {
  return static_cast<char*>(memory_.data_ptr()) + record.arenaOffset;
}

}  // namespace torch_t5
