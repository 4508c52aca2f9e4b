// The weights of an archive, read straight into one piece of memory while the code of the archive is compiled.
//
// libtorch's own reader allocates each weight, reads it and checks its CRC, one after another: for a model whose files
// were verified by SHA-256 that is most of the time that loading takes. One piece of memory can also be asked to lie in
// huge pages, which makes it several times cheaper to touch for the first time.
#pragma once

#include <ATen/core/Tensor.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/storage_context.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace torch_t5 {

class WeightArena {
 public:
  /// Makes room for every record of the archive's folder `data/`, each at an address that is `place` modulo 64.
  WeightArena(caffe2::serialize::PyTorchStreamReader& reader, std::filesystem::path path, std::uintptr_t place);

  /// The storages by their names in the archive; they keep the memory alive. Their contents are there after `read`.
  std::shared_ptr<torch::jit::DeserializationStorageContext> storages() const;

  /// Reads every record. Touches nothing but the arena and the file: it may run beside anything. Throws
  /// ERR_MODEL_CORRUPT where the file ends early.
  void read() const;

 private:
  struct Record {
    std::string name;
    std::uint64_t fileOffset = 0;
    std::size_t bytes = 0;
    std::size_t arenaOffset = 0;
  };

  char* at(const Record& record) const;

  std::filesystem::path path_;
  std::vector<Record> records_;
  at::Tensor memory_;
};

}  // namespace torch_t5
