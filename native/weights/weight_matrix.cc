#include "weights/weight_matrix.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

#include "core/errors.h"

namespace torch_t5 {
namespace {

std::uint64_t elementBytes(StoredType type) { return type == StoredType::kFloat32 ? 4 : 2; }

/// The number of elements; one more than any file contains if it doesn't fit.
std::uint64_t countElements(const std::vector<std::int64_t>& sizes) {
  constexpr std::uint64_t kTooMany = std::uint64_t{1} << 60;
  std::uint64_t count = 1;
  for (const std::int64_t size : sizes) {
    if (size <= 0) return 0;
    if (static_cast<std::uint64_t>(size) > kTooMany / count) return kTooMany;
    count *= static_cast<std::uint64_t>(size);
  }
  return count;
}

FileReader openFile(const std::string& path) {
  try {
    return FileReader(path);
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kModelCorrupt,
                "Expected a readable file for " + path + " but received: " + error.code().message());
  }
}

/// Converts elements of two bytes, in the order of the file: little-endian.
template <class Convert>
void widen(std::span<const std::byte> bytes, std::span<float> numbers, Convert convert) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + 2 * i, sizeof half);
    numbers[i] = convert(half);
  }
}

}  // namespace

WeightFile::WeightFile(const StoredFile& file) : path_(file.path), reader_(openFile(file.path)) {
  if (reader_.size() == file.bytes) return;
  throw Error(ErrorCode::kModelCorrupt, "Expected " + std::to_string(file.bytes) + " bytes for the size of " + path_ +
                                            " but received " + std::to_string(reader_.size()));
}

void WeightFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  if (reader_.read(offset, bytes)) return;
  throw Error(ErrorCode::kModelCorrupt, "Expected the whole of " + path_ + " but received one that ends early");
}

StoredNumbers::StoredNumbers(std::shared_ptr<const WeightFile> file, const StoredTensor& tensor)
    : file_(std::move(file)), type_(tensor.type), sizes_(tensor.sizes), offset_(tensor.offset) {
  const std::uint64_t count = countElements(sizes_);
  const std::uint64_t size = file_->size();
  if (count > 0 && offset_ <= size && count <= (size - offset_) / elementBytes(type_)) return;
  throw Error(ErrorCode::kModelCorrupt, "Expected the weight " + tensor.name +
                                            " inside its file but received one that is empty or begins at byte " +
                                            std::to_string(offset_) + " of " + std::to_string(size));
}

void StoredNumbers::read(std::int64_t first, std::span<float> numbers, std::vector<std::byte>& bytes) const {
  const std::uint64_t width = elementBytes(type_);
  const std::uint64_t offset = offset_ + static_cast<std::uint64_t>(first) * width;
  if (type_ == StoredType::kFloat32) {
    file_->read(offset, std::as_writable_bytes(numbers));
    return;
  }
  bytes.resize(numbers.size() * width);
  file_->read(offset, bytes);
  if (type_ == StoredType::kBfloat16) {
    widen(bytes, numbers, [](std::uint16_t half) { return std::bit_cast<float>(std::uint32_t{half} << 16U); });
  } else {
    widen(bytes, numbers, [](std::uint16_t half) { return float{c10::Half(half, c10::Half::from_bits())}; });
  }
}

at::Tensor StoredNumbers::toTensor() const {
  at::Tensor tensor = at::empty(sizes_, at::kFloat);
  std::vector<std::byte> bytes;
  read(0, {static_cast<float*>(tensor.data_ptr()), static_cast<std::size_t>(tensor.numel())}, bytes);
  return tensor;
}

WeightMatrix::WeightMatrix(at::Tensor tensor)
    : rows_(tensor.defined() ? tensor.size(0) : 0),
      columns_(tensor.defined() ? tensor.size(1) : 0),
      tensor_(std::move(tensor)) {}

WeightMatrix::WeightMatrix(StoredNumbers stored)
    : rows_(stored.sizes().at(0)), columns_(stored.sizes().at(1)), stored_(std::move(stored)) {}

bool WeightMatrix::isSame(const WeightMatrix& other) const {
  if (tensor_.defined() != other.tensor_.defined()) return false;
  return tensor_.defined() ? tensor_.const_data_ptr() == other.tensor_.const_data_ptr() : stored_.isSame(other.stored_);
}

const float* WeightMatrix::read(std::int64_t first, std::int64_t count, RowBuffer& buffer) const {
  if (tensor_.defined()) return tensor_.const_data_ptr<float>() + first * columns_;
  buffer.numbers.resize(static_cast<std::size_t>(count * columns_));
  stored_.read(first * columns_, buffer.numbers, buffer.bytes);
  return buffer.numbers.data();
}

at::Tensor WeightMatrix::toTensor() const { return tensor_.defined() ? tensor_ : stored_.toTensor(); }

bool WeightMatrix::equals(const WeightMatrix& other) const {
  if (rows_ != other.rows_ || columns_ != other.columns_) return false;
  if (isSame(other)) return true;
  constexpr std::int64_t kElementsAtOnce = std::int64_t{1} << 16;  // 256 KiB of each: they fit into the L2 cache
  const std::int64_t rowsAtOnce = std::max<std::int64_t>(1, kElementsAtOnce / columns_);
  RowBuffer own;
  RowBuffer others;
  for (std::int64_t first = 0; first < rows_; first += rowsAtOnce) {
    const std::int64_t count = std::min(rowsAtOnce, rows_ - first);
    const float* left = read(first, count, own);
    if (!std::equal(left, left + count * columns_, other.read(first, count, others))) return false;
  }
  return true;
}

}  // namespace torch_t5
