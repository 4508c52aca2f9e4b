// Tests weights in files: they are read as those in memory, and a file that shrinks is an error.
#include "weights/weight_matrix.h"

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "core/errors.h"
#include "fused/embedding.h"
#include "fused/instruction_set.h"
#include "fused/packed_matrix.h"
#include "harness.h"

namespace torch_t5 {
namespace {

using kernels::DataType;
using test::expect;

constexpr std::array kTypes{DataType::kFloat32, DataType::kBfloat16, DataType::kInt8};
constexpr std::int64_t kThreads = 2;

/// A file that is removed at the end. Its numbers begin at an odd offset, as nothing aligns them.
class TemporaryFile {
 public:
  static constexpr std::uint64_t kOffset = 3;

  explicit TemporaryFile(const at::Tensor& numbers) : tensor_(numbers.contiguous()) {
    std::ofstream stream(path_, std::ios::binary);
    stream.write("abc", kOffset);
    stream.write(static_cast<const char*>(tensor_.data_ptr()), static_cast<std::streamsize>(tensor_.nbytes()));
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  StoredNumbers open() const {
    const StoredType type = tensor_.scalar_type() == at::kFloat      ? StoredType::kFloat32
                            : tensor_.scalar_type() == at::kBFloat16 ? StoredType::kBfloat16
                                                                     : StoredType::kFloat16;
    const auto file = std::make_shared<const WeightFile>(StoredFile{path_.string(), kOffset + tensor_.nbytes()});
    return {file, {"weight", type, tensor_.sizes().vec(), 0, kOffset}};
  }

  void shrink() const { std::filesystem::resize_file(path_, kOffset + tensor_.nbytes() - 1); }

 private:
  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("torch-t5-weights-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)) + "-" +
                                 std::to_string(at::randint(1 << 30, {1}, at::kLong).item<std::int64_t>()));
  at::Tensor tensor_;
};

void expectCorrupt(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    expect(error.code() == ErrorCode::kModelCorrupt, std::string("ERR_MODEL_CORRUPT: ") + error.what());
    return;
  }
  expect(false, "an error");
}

bool sameBits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

void widensExactly(std::span<char*>) {
  std::vector<std::int16_t> patterns(1U << 16U);
  std::iota(patterns.begin(), patterns.end(), std::numeric_limits<std::int16_t>::min());
  const at::Tensor bits = at::tensor(patterns, at::kShort).view({256, 256});
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    const at::Tensor halves = bits.view(type);
    const TemporaryFile file(halves);
    const at::Tensor read = file.open().toTensor();
    const at::Tensor expected = halves.to(at::kFloat);
    const at::Tensor isNan = expected.isnan();
    expect(at::equal(read.isnan(), isNan), "NaN where the type has NaN");
    expect(sameBits(read.masked_fill(isNan, 0), expected.masked_fill(isNan, 0)), "the same numbers");
  }
}

/// The elements of every column.
std::vector<float> elementsOf(const PackedMatrix& matrix, std::int64_t k) {
  std::vector<float> elements(static_cast<std::size_t>(matrix.columns() * k));
  for (std::int64_t column = 0; column < matrix.columns(); ++column)
    matrix.readColumn(column, elements.data() + column * k);
  return elements;
}

void packsFromFiles(std::span<char*>) {
  const kernels::Kernels& kernels = bestKernels();
  const Executor executor{kernels, kThreads};
  for (const std::int64_t k : {1, 7, 64}) {
    const at::Tensor one = at::randn({kernels.panelWidth + 5, k});
    const at::Tensor other = at::randn({kernels.panelWidth * 2 - 1, k});
    const TemporaryFile oneFile(one);
    const TemporaryFile otherFile(other);
    const WeightMatrix inMemory[] = {one, other};
    const WeightMatrix inFile[] = {WeightMatrix(oneFile.open()), WeightMatrix(otherFile.open())};
    for (const DataType dataType : kTypes) {
      const auto packed = [&](const WeightMatrix* weights) {
        return PackedMatrix(weightRows({weights, weights + 1}), dataType, executor);
      };
      expect(elementsOf(packed(inMemory), k) == elementsOf(packed(inFile), k), "the same columns");
      const auto gated = [&](const WeightMatrix& weight) {
        return PackedMatrix(gatedWeightRows(weight, weight, kernels), dataType, executor);
      };
      expect(elementsOf(gated(inMemory[1]), k) == elementsOf(gated(inFile[1]), k), "the same columns of a gate");
      const auto embedded = [&](const WeightMatrix& weight) {
        at::Tensor rows = at::empty({2, k});
        Embedding(weight, dataType, executor).read(executor, {0, weight.rows() - 1}, {rows.data_ptr<float>(), 2, k});
        return rows;
      };
      expect(sameBits(embedded(inMemory[0]), embedded(inFile[0])), "the same embeddings");
    }
  }
}

void comparesMatrices(std::span<char*>) {
  const at::Tensor numbers = at::randn({300, 500}).to(at::kBFloat16);
  at::Tensor changed = numbers.clone();
  changed[299][499] += 1;
  const TemporaryFile file(numbers);
  const TemporaryFile changedFile(changed);
  const WeightMatrix matrix(file.open());
  expect(matrix.equals(WeightMatrix(numbers.to(at::kFloat))), "equality of a file and of memory");
  expect(matrix.isSame(matrix) && !matrix.isSame(WeightMatrix(file.open())), "only the same file to be the same");
  expect(!matrix.equals(WeightMatrix(changedFile.open())), "a difference in the last number");
  expect(!matrix.equals(WeightMatrix(at::zeros({500, 300}))), "a difference of shape");
  const WeightMatrix positive(at::zeros({2, 2}));
  expect(positive.equals(WeightMatrix(-at::zeros({2, 2}))), "zeros of both signs to be equal, as in torch.equal");
}

void refusesShrunkFiles(std::span<char*>) {
  const Executor executor{bestKernels(), kThreads};
  for (const DataType dataType : kTypes) {
    const TemporaryFile file(at::randn({1000, 64}));
    const WeightMatrix matrix(file.open());
    file.shrink();
    expectCorrupt([&] { PackedMatrix(weightRows({&matrix}), dataType, executor); });
    expectCorrupt([&] { Embedding(matrix, dataType, executor); });
    expectCorrupt([&] { matrix.toTensor(); });
    expectCorrupt([&] { file.open(); });
  }
}

constexpr std::array kTests{
    test::Test{"widen every bfloat16 and float16 exactly", widensExactly},
    test::Test{"pack weights in files as those in memory", packsFromFiles},
    test::Test{"compare matrices in files and in memory", comparesMatrices},
    test::Test{"refuse a file that shrinks after it was opened", refusesShrunkFiles},
};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
