// The memory of an archive's weights: one allocation for all of them, and for each the alignment that it had in Python.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/storage_context.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "weights/zip_directory.h"

namespace torch_t5 {

/// One allocation into which all weights are read while the archive's code is compiled.
///
/// libtorch's own reader allocates each weight, reads it and checks its CRC, one after another, which would take most
/// of the load time. The files were already verified by SHA-256. One allocation can also use huge pages, whose first
/// use is several times cheaper.
class WeightArena {
 public:
  /// Allocates memory for every record of the archive's folder `data/`, each at an address that is `offset` modulo 64.
  WeightArena(const std::vector<ZipRecord>& records, std::string path, std::uintptr_t offset);

  /// The storages by their names in the archive. They keep the memory alive, and are uninitialized until `read`.
  std::shared_ptr<torch::jit::DeserializationStorageContext> storages() const;

  /// Reads every record. Uses only the arena and the file, so it may run in parallel with other code. Throws
  /// ERR_MODEL_CORRUPT if the file ends early.
  void read() const;

  /// Where the data of a tensor begin in the file; none if they are not in the arena.
  std::optional<std::uint64_t> fileOffsetOf(const at::Tensor& tensor) const;

 private:
  struct Record {
    std::string name;
    std::uint64_t fileOffset = 0;
    std::size_t bytes = 0;
    std::size_t arenaOffset = 0;
  };

  char* addressOf(const Record& record) const;

  std::string path_;
  std::vector<Record> records_;
  at::Tensor memory_;
};

/// The alignment of each weight in Python: its address modulo 64.
///
/// MKL's matrix-vector product starts with the elements up to the next 64-byte boundary, so the matrix's address
/// decides how its sums are grouped and how their last bits are rounded. `from_pretrained` maps weights from a
/// safetensors file at arbitrary offsets. With other alignments, logits of a single row would differ in their last
/// bits, so the exporter records each weight's alignment.
class WeightAlignment {
 public:
  /// The archive's record: a line `<address modulo 64> <name of the weight>` for each weight whose offset is not 0.
  static constexpr const char* kRecord = "extra/weight_placement.txt";

  /// `record`: the text of the record. Throws ERR_MODEL_CORRUPT for an offset of 64 or more.
  explicit WeightAlignment(const std::string& record);

  /// The most frequent offset. In one file most weights share it, because most sizes are multiples of 64 bytes.
  std::uintptr_t commonOffset() const;

  /// Copies each weight of a module on the CPU whose address has another offset. Weights that share memory still share
  /// it afterwards. Throws ERR_MODEL_CORRUPT if the record does not match the module.
  void apply(const torch::jit::Module& module) const;

 private:
  std::unordered_map<std::string, std::uintptr_t> offsets_;
};

}  // namespace torch_t5
