// A matrix of weights: in memory, or in a safetensors file from which its rows are read when they are needed.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/platform/file_reader.h"
#include "core/requests.h"

namespace torch_t5 {

/// A file of tensors that stays open while any of its matrices lives.
class WeightFile {
 public:
  /// Throws ERR_MODEL_CORRUPT if the file can't be opened, or its size isn't the one that its header was checked with.
  explicit WeightFile(const StoredFile& file);

  std::uint64_t size() const { return reader_.size(); }

  /// Throws ERR_MODEL_CORRUPT if the file ends early, because it shrank since it was opened.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  std::string path_;
  FileReader reader_;
};

/// A tensor of a file. Throws ERR_MODEL_CORRUPT if it isn't inside the file.
class StoredNumbers {
 public:
  StoredNumbers() = default;
  StoredNumbers(std::shared_ptr<const WeightFile> file, const StoredTensor& tensor);

  const std::vector<std::int64_t>& sizes() const { return sizes_; }

  /// Reads elements from `first` on, and widens them to float32, which has every value of the other types. `bytes`:
  /// memory to read them into. Throws what `WeightFile::read` throws.
  void read(std::int64_t first, std::span<float> numbers, std::vector<std::byte>& bytes) const;

  /// All elements.
  at::Tensor toTensor() const;

  bool isSame(const StoredNumbers& other) const { return file_ == other.file_ && offset_ == other.offset_; }

 private:
  std::shared_ptr<const WeightFile> file_;
  StoredType type_ = StoredType::kFloat32;
  std::vector<std::int64_t> sizes_;
  std::uint64_t offset_ = 0;
};

/// Memory for rows that are read from a file.
struct RowBuffer {
  std::vector<float> numbers;
  std::vector<std::byte> bytes;
};

class WeightMatrix {
 public:
  /// Undefined.
  WeightMatrix() = default;

  /// `tensor`: float32 [rows, columns], contiguous, on the CPU; an undefined one makes an undefined matrix.
  WeightMatrix(at::Tensor tensor);  // NOLINT(google-explicit-constructor): a tensor is a matrix

  /// `stored`: a tensor with two dimensions.
  explicit WeightMatrix(StoredNumbers stored);

  bool defined() const { return rows_ > 0; }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }

  /// Whether both are the same tensor in memory, or the same one of the same file.
  bool isSame(const WeightMatrix& other) const;

  /// Some consecutive rows: their place in memory, or that of a copy in `buffer`. Throws ERR_MODEL_CORRUPT if the file
  /// ends early. Several threads may read, each with its own buffer.
  const float* read(std::int64_t first, std::int64_t count, RowBuffer& buffer) const;

  /// The whole matrix, float32 [rows, columns].
  at::Tensor toTensor() const;

  /// Whether all elements are equal, as `torch.equal` compares them.
  bool equals(const WeightMatrix& other) const;

 private:
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  at::Tensor tensor_;  // undefined: in a file
  StoredNumbers stored_;
};

}  // namespace torch_t5
