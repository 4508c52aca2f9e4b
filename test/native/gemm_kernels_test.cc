// Tests GEMM and packed matrices, for every instruction set of this processor, against ATen in double precision.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "fused/kernels/kernels.h"
#include "fused/packed_matrix.h"
#include "kernels_harness.h"

namespace torch_t5 {
namespace {

using namespace test;
using kernels::Epilogue;

constexpr std::int64_t kRows = 70;     // more than two groups of rows of any instruction set
constexpr double kRounding = 0x1p-24;  // the relative error of one operation in float32

constexpr std::array kActivations{Activation::kRelu, Activation::kGeluNew, Activation::kGelu, Activation::kSilu};

/// rows x matrix^T [rows, columns]. Sums of int8 are exact, so only the scaling rounds, as in the kernels.
Expected multiplyExactly(DataType dataType, const at::Tensor& rows, const at::Tensor& matrix) {
  const Quantized a = quantize(dataType, rows);
  const Quantized b = quantize(dataType, matrix);
  const at::Tensor sums = at::matmul(a.values, b.values.t());
  if (dataType == DataType::kInt8)
    return {(sums.to(at::kFloat) * (a.scales * b.scales.t())).to(at::kDouble), at::zeros_like(sums)};
  const double roundings = 2 * (static_cast<double>(rows.size(1)) + 2) * kRounding;
  return {sums, at::matmul(a.values.abs(), b.values.abs().t()) * roundings};
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kGeluNew:
      return at::gelu(x, "tanh");
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kSilu:
      return at::silu(x);
  }
  throw std::runtime_error("no such activation");
}

Expected activateExactly(Activation activation, const Expected& sums) {
  constexpr double kMaxDerivative = 1.2;  // of all activations
  constexpr double kPrecision = 1e-6;
  const at::Tensor own =
      activation == Activation::kRelu ? at::zeros_like(sums.values) : (1 + sums.values.abs()) * kPrecision;
  return {activate(activation, sums.values), sums.tolerance * kMaxDerivative + own};
}

Expected addExactly(const Expected& sums, const at::Tensor& initial) {
  return {sums.values + initial, sums.tolerance + (sums.values.abs() + initial.abs()) * 2 * kRounding};
}

Expected gateExactly(const Expected& gate, const Expected& up) {
  const at::Tensor values = gate.values * up.values;
  return {values, gate.tolerance * (up.values.abs() + up.tolerance) + gate.values.abs() * up.tolerance +
                      values.abs() * 2 * kRounding};
}

PackedMatrix packed(const at::Tensor& tensor, DataType dataType, const Executor& executor) {
  const WeightMatrix weight(tensor);
  return PackedMatrix(weightRows({&weight}), dataType, executor);
}

/// One kind of GEMM with one matrix.
struct Multiplication {
  const Kernels& table;
  DataType dataType;
  at::Tensor values;  // the rows [rows, k]
  const PackedMatrix& matrix;
  std::int64_t columns;  // of the result
  Epilogue epilogue = Epilogue::kStore;
  Activation activation = Activation::kRelu;
  at::Tensor initial;  // [rows, columns], the result before kAdd

  /// Rows `first` to `first + count - 1` of the result: [count, columns].
  at::Tensor run(std::int64_t first, std::int64_t count) const {
    return run(Operand(table, dataType, values.slice(0, first, first + count), /*inTiles=*/true), first);
  }

  /// The result for an operand of rows from `first` on. Checks that memory next to it does not change.
  at::Tensor run(const Operand& operand, std::int64_t first = 0) const {
    const std::int64_t margin = columns % 2 == 0 ? 3 : 48 - columns % 16;  // some rows are aligned
    constexpr float kUntouched = 12345;
    const auto count = static_cast<std::int64_t>(operand.scales.size());
    const at::Tensor memory = at::full({count, columns + margin}, kUntouched);
    const at::Tensor result = memory.slice(1, 0, columns);
    if (initial.defined()) result.copy_(initial.slice(0, first, first + count));
    kernels::GemmArgs args = describe(operand, memory.size(1));
    args.result = dataOf(memory);
    table.gemm(dataType, args);
    expect(memory.slice(1, columns).eq(kUntouched).all().item<bool>(), "nothing written next to a result");
    return result.contiguous();
  }

  /// All arguments except the result.
  kernels::GemmArgs describe(const Operand& operand, std::int64_t stride) const {
    kernels::GemmArgs args;
    args.rows = operand.words.data();
    args.areRowsTiled = operand.isTiled;
    args.rowScales = operand.scales.data();
    args.rowCount = static_cast<std::int64_t>(operand.scales.size());
    args.resultStride = stride;
    args.columns = columns;
    args.epilogue = epilogue;
    args.activation = activation;
    matrix.setPanels(0, args);
    return args;
  }

  /// Checks that a bfloat16 result, also in tiles where possible, is the nearest bfloat16 to each element of `run`.
  void expectBf16(const std::string& where) const {
    const Operand operand(table, dataType, values, /*inTiles=*/true);
    const at::Tensor expected = run(operand).to(at::kBFloat16);
    expect(at::equal(bf16(operand, /*inTiles=*/false), expected), "the nearest bfloat16 of the product " + where);
    if (operand.isTiled && columns % kernels::kTileBf16Columns == 0)
      expect(at::equal(bf16(operand, /*inTiles=*/true), expected), "the nearest bfloat16 in tiles " + where);
  }

  /// The result as bfloat16 [rows, columns].
  at::Tensor bf16(const Operand& operand, bool inTiles) const {
    const auto rows = static_cast<std::int64_t>(operand.scales.size());
    const std::int64_t room = inTiles ? roundUp(rows, kernels::kTileRows) : rows;
    const at::Tensor result = at::empty({room, columns}, at::kBFloat16);
    kernels::GemmArgs args = describe(operand, columns);
    args.bf16Result = static_cast<std::uint16_t*>(result.data_ptr());
    args.isBf16ResultTiled = inTiles;
    table.gemm(dataType, args);
    return inTiles ? untiled(result).slice(0, 0, rows) : result;
  }

  /// Checks that each row computed alone is within the tolerance, and has the same bits when computed with other rows.
  void expectResults(const Expected& expected, const std::string& where) const {
    const std::int64_t rows = expected.values.size(0);
    std::vector<at::Tensor> each;
    for (std::int64_t row = 0; row < rows; ++row) each.push_back(run(row, 1));
    const at::Tensor alone = at::cat(each);
    expectWithin(alone, expected, "the product " + where);
    for (std::int64_t count = 2; count <= rows; ++count) {
      const std::int64_t first = count * 7 % (rows - count + 1);
      expect(areSameBits(dataOf(run(first, count)), dataOf(alone) + first * columns, count * columns),
             "the bits of single rows in a product of " + std::to_string(count) + " " + where);
    }
  }
};

std::string describe(const Kernels& table, DataType dataType, std::int64_t k, std::int64_t columns) {
  return std::string("of ") + nameOf(dataType) + ", " + std::to_string(k) + " x " + std::to_string(columns) + " by " +
         table.name;
}

/// Calls `check(table, dataType, k, columns)` for many shapes.
template <class Check>
void forEachShape(Check&& check) {
  for (const Kernels* table : usableKernels()) {
    const std::int64_t width = table->panelWidth;
    for (const DataType dataType : kDataTypes) {
      for (const std::int64_t k : {1, 2, 3, 4, 5, 8, 31, 64, 99, 192, 200}) {
        for (const std::int64_t columns :
             {std::int64_t{1}, width / 2, width - 1, width, width + 1, 2 * width, 3 * width + 5})
          check(*table, dataType, k, columns);
      }
    }
  }
}

/// The rows of a test: its argument, or as many as any instruction set needs. Emulators are too slow for those.
std::int64_t rowsOf(std::span<char*> arguments) { return arguments.empty() ? kRows : std::stoll(arguments[0]); }

void multiplies(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const std::int64_t count = rowsOf(arguments);
  forEachShape([count](const Kernels& table, DataType dataType, std::int64_t k, std::int64_t columns) {
    const std::string where = describe(table, dataType, k, columns);
    const at::Tensor rows = at::randn({count, k});
    const at::Tensor weight = at::randn({columns, k});
    rows[2].zero_();
    weight[columns / 2].zero_();
    const PackedMatrix matrix = packed(weight, dataType, {table, 1});
    const Expected sums = multiplyExactly(dataType, rows, weight);
    Multiplication multiplication{table, dataType, rows, matrix, columns, Epilogue::kStore, Activation::kRelu, {}};
    multiplication.expectResults(sums, where);
    multiplication.expectBf16(where);

    for (const Activation activation : kActivations) {
      multiplication.epilogue = Epilogue::kActivate;
      multiplication.activation = activation;
      multiplication.expectResults(activateExactly(activation, sums), "with an activation " + where);
      multiplication.expectBf16("with an activation " + where);
    }
    multiplication.epilogue = Epilogue::kStream;
    multiplication.expectResults(sums, "streamed " + where);
    multiplication.epilogue = Epilogue::kAdd;
    multiplication.initial = at::randn({count, columns});
    multiplication.expectResults(addExactly(sums, multiplication.initial), "added " + where);
  });
}

void multipliesGated(std::span<char*> arguments) {
  const c10::InferenceMode inferenceMode;
  const std::int64_t count = rowsOf(arguments);
  forEachShape([count](const Kernels& table, DataType dataType, std::int64_t k, std::int64_t columns) {
    const at::Tensor rows = at::randn({count, k});
    const at::Tensor gate = at::randn({columns, k});
    const at::Tensor up = at::randn({columns, k});
    const PackedMatrix matrix(gatedWeightRows(gate, up, table), dataType, {table, 1});
    const Expected gates = multiplyExactly(dataType, rows, gate);
    const Expected ups = multiplyExactly(dataType, rows, up);
    for (const Activation activation : kActivations) {
      const Multiplication multiplication{table, dataType, rows, matrix, columns, Epilogue::kGate, activation, {}};
      multiplication.expectResults(gateExactly(activateExactly(activation, gates), ups),
                                   "with a gate " + describe(table, dataType, k, columns));
      multiplication.expectBf16("with a gate " + describe(table, dataType, k, columns));
    }
  });
}

void readsColumns(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, DataType dataType, std::int64_t k, std::int64_t columns) {
    const at::Tensor weight = at::randn({columns, k});
    const PackedMatrix matrix = packed(weight, dataType, {table, 1});
    const Quantized quantized = quantize(dataType, weight);
    const at::Tensor values = quantized.values.to(at::kFloat);
    const at::Tensor received = at::empty_like(weight);
    for (std::int64_t column = 0; column < columns; ++column) matrix.readColumn(column, dataOf(received) + column * k);
    expect(at::equal(received, quantized.scales.defined() ? values * quantized.scales : values),
           "the packed elements " + describe(table, dataType, k, columns));
  });
}

void multipliesSelectedColumns(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, DataType dataType, std::int64_t k, std::int64_t columns) {
    const at::Tensor weight = at::randn({columns, k});
    const at::Tensor rows = at::randn({3, k});
    const PackedMatrix matrix = packed(weight, dataType, {table, 1});
    std::vector<std::int64_t> chosen;
    for (std::int64_t column = 0; column < columns + 3; ++column) chosen.push_back(column * 11 % columns);
    const auto count = static_cast<std::int64_t>(chosen.size());
    const PackedMatrix selected = matrix.selectColumns(chosen);
    const auto product = [&](const PackedMatrix& factor, std::int64_t width) {
      return Multiplication{table, dataType, rows, factor, width, Epilogue::kStore, Activation::kRelu, {}}.run(0, 3);
    };
    const at::Tensor all = product(matrix, columns);
    const at::Tensor some = product(selected, count);
    expect(at::equal(some, all.index_select(1, at::tensor(chosen, at::kLong))),
           "the bits of selected columns " + describe(table, dataType, k, columns));
  });
}

/// Applies an activation to n elements: the product of a column [n, 1] with 1.
void activates(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const at::Tensor numbers =
      at::cat({at::linspace(-130, 130, 4001), at::linspace(-6, 6, 4001), at::tensor({0.0F, -0.0F, 1e30F, -1e30F})});
  const at::Tensor column = numbers.unsqueeze(1);
  for (const Kernels* table : usableKernels()) {
    const at::Tensor one = at::ones({1, 1});
    const PackedMatrix matrix = packed(one, DataType::kFloat32, {*table, 1});
    for (const Activation activation : kActivations) {
      const Multiplication multiplication{*table, DataType::kFloat32,  column,     matrix,
                                          1,      Epilogue::kActivate, activation, {}};
      const at::Tensor expected = activate(activation, column.to(at::kDouble));
      // Relative for large results. Near 0, sums cancel and leave an absolute error.
      expectWithin(multiplication.run(0, column.size(0)), {expected, expected.abs() * 2e-6 + 2e-7},
                   std::string("an activation by ") + table->name);
    }
  }
}

constexpr std::array<test::Test, 5> kTests{{
    {"multiply in every data type, with the same bits for a row in any batch", multiplies},
    {"multiply and gate", multipliesGated},
    {"read columns of a packed matrix", readsColumns},
    {"multiply with selected columns of a matrix, bit for bit", multipliesSelectedColumns},
    {"apply every activation over the whole range", activates},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
