// Products by the kernels of every instruction set that this processor has, against plain ATen in double precision.
#include "fused/kernels/kernels.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "fused/packed_matrix.h"
#include "kernels_harness.h"

namespace torch_t5 {
namespace {

using namespace test;
using kernels::Finish;

constexpr std::int64_t kMostRows = 70;  // more than any instruction set takes at once, twice
constexpr double kRounding = 0x1p-24;   // the relative error of one operation in float32

constexpr std::array kActivations{Activation::kRelu, Activation::kGeluNew, Activation::kGelu, Activation::kSilu};

/// [rows, columns] of rows and matrix rows. Sums of int8 are exact, and scaled by one rounding after another.
Expected multiplyExactly(Format format, const at::Tensor& rows, const at::Tensor& matrix) {
  const Held a = hold(format, rows);
  const Held b = hold(format, matrix);
  const at::Tensor sums = at::matmul(a.numbers, b.numbers.t());
  if (format == Format::kInt8)
    return {(sums.to(at::kFloat) * (a.scales * b.scales.t())).to(at::kDouble), at::zeros_like(sums)};
  const double roundings = 2 * (static_cast<double>(rows.size(1)) + 2) * kRounding;
  return {sums, at::matmul(a.numbers.abs(), b.numbers.abs().t()) * roundings};
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
  constexpr double kSteepest = 1.2;  // no activation's derivative is greater
  constexpr double kPrecision = 1e-6;
  const at::Tensor own =
      activation == Activation::kRelu ? at::zeros_like(sums.numbers) : (1 + sums.numbers.abs()) * kPrecision;
  return {activate(activation, sums.numbers), sums.tolerance * kSteepest + own};
}

Expected addExactly(const Expected& sums, const at::Tensor& before) {
  return {sums.numbers + before, sums.tolerance + (sums.numbers.abs() + before.abs()) * 2 * kRounding};
}

Expected gateExactly(const Expected& gate, const Expected& up) {
  const at::Tensor numbers = gate.numbers * up.numbers;
  return {numbers, gate.tolerance * (up.numbers.abs() + up.tolerance) + gate.numbers.abs() * up.tolerance +
                       numbers.abs() * 2 * kRounding};
}

/// A kind of product with one matrix.
struct Multiplication {
  const Kernels& table;
  Format format;
  at::Tensor numbers;  // the rows [rows, inner]
  const PackedMatrix& matrix;
  std::int64_t columns;  // of the result
  Finish finish = Finish::kStore;
  Activation activation = Activation::kRelu;
  at::Tensor before;  // [rows, columns], what kAdd adds to

  /// Rows `first` up to `first + count` of the result [count, columns].
  at::Tensor run(std::int64_t first, std::int64_t count) const {
    return run(Operand(table, format, numbers.slice(0, first, first + count), /*inTiles=*/true), first);
  }

  /// The result of an operand made of rows from `first` on. What lies beside it must stay as it is.
  at::Tensor run(const Operand& operand, std::int64_t first = 0) const {
    const std::int64_t kMargin = columns % 2 == 0 ? 3 : 48 - columns % 16;  // some rows are aligned
    constexpr float kUntouched = 12345;
    const auto count = static_cast<std::int64_t>(operand.scales.size());
    const at::Tensor memory = at::full({count, columns + kMargin}, kUntouched);
    const at::Tensor result = memory.slice(1, 0, columns);
    if (before.defined()) result.copy_(before.slice(0, first, first + count));
    kernels::Product product = describe(operand, memory.size(1));
    product.result = dataOf(memory);
    table.multiply(format, product);
    expect(memory.slice(1, columns).eq(kUntouched).all().item<bool>(), "nothing written beside a result");
    return result.contiguous();
  }

  /// All but where the result goes.
  kernels::Product describe(const Operand& operand, std::int64_t stride) const {
    kernels::Product product;
    product.rows = operand.words.data();
    product.areTiled = operand.areTiled;
    product.rowScales = operand.scales.data();
    product.rowCount = static_cast<std::int64_t>(operand.scales.size());
    product.resultStride = stride;
    product.columns = columns;
    product.finish = finish;
    product.activation = activation;
    matrix.choosePanels(0, product);
    return product;
  }

  /// The same as bfloat16, also in tiles where that is possible: the nearest to each number of `run`.
  void expectNarrow(const std::string& where) const {
    const Operand operand(table, format, numbers, /*inTiles=*/true);
    const at::Tensor expected = run(operand).to(at::kBFloat16);
    expect(at::equal(narrow(operand, /*inTiles=*/false), expected), "the nearest bfloat16 of the product " + where);
    if (operand.areTiled && columns % kernels::kTileBfloat16s == 0)
      expect(at::equal(narrow(operand, /*inTiles=*/true), expected), "in tiles the nearest bfloat16 " + where);
  }

  /// The result as bfloat16 [rows, columns].
  at::Tensor narrow(const Operand& operand, bool inTiles) const {
    const auto rows = static_cast<std::int64_t>(operand.scales.size());
    const std::int64_t room = inTiles ? roundUp(rows, kernels::kTileRows) : rows;
    const at::Tensor result = at::empty({room, columns}, at::kBFloat16);
    kernels::Product product = describe(operand, columns);
    product.narrowResult = static_cast<std::uint16_t*>(result.data_ptr());
    product.isNarrowTiled = inTiles;
    table.multiply(format, product);
    return inTiles ? untiled(result).slice(0, 0, rows) : result;
  }

  /// The result of every row, computed alone, is within the tolerance, and the same bits in whatever company.
  void expectResults(const Expected& expected, const std::string& where) const {
    const std::int64_t rows = expected.numbers.size(0);
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

std::string describe(const Kernels& table, Format format, std::int64_t inner, std::int64_t columns) {
  return std::string("of ") + nameOf(format) + ", " + std::to_string(inner) + " x " + std::to_string(columns) + " by " +
         table.name;
}

/// Calls `check(table, format, inner, columns)` for many shapes.
template <class Check>
void forEachShape(Check&& check) {
  for (const Kernels* table : usableKernels()) {
    const std::int64_t width = table->panelWidth;
    for (const Format format : kFormats) {
      for (const std::int64_t inner : {1, 2, 3, 4, 5, 8, 31, 64, 99, 192, 200}) {
        for (const std::int64_t columns :
             {std::int64_t{1}, width / 2, width - 1, width, width + 1, 2 * width, 3 * width + 5})
          check(*table, format, inner, columns);
      }
    }
  }
}

void multiplies(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, Format format, std::int64_t inner, std::int64_t columns) {
    const std::string where = describe(table, format, inner, columns);
    const at::Tensor rows = at::randn({kMostRows, inner});
    const at::Tensor weight = at::randn({columns, inner});
    rows[2].zero_();
    weight[columns / 2].zero_();
    const PackedMatrix matrix(rowsOf({weight}), inner, format, {table, 1});
    const Expected sums = multiplyExactly(format, rows, weight);
    Multiplication multiplication{table, format, rows, matrix, columns, Finish::kStore, Activation::kRelu, {}};
    multiplication.expectResults(sums, where);
    multiplication.expectNarrow(where);

    for (const Activation activation : kActivations) {
      multiplication.finish = Finish::kActivate;
      multiplication.activation = activation;
      multiplication.expectResults(activateExactly(activation, sums), "with an activation " + where);
      multiplication.expectNarrow("with an activation " + where);
    }
    multiplication.finish = Finish::kStream;
    multiplication.expectResults(sums, "streamed " + where);
    multiplication.finish = Finish::kAdd;
    multiplication.before = at::randn({kMostRows, columns});
    multiplication.expectResults(addExactly(sums, multiplication.before), "added " + where);
  });
}

void multipliesGated(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, Format format, std::int64_t inner, std::int64_t columns) {
    const at::Tensor rows = at::randn({kMostRows, inner});
    const at::Tensor gate = at::randn({columns, inner});
    const at::Tensor up = at::randn({columns, inner});
    const PackedMatrix matrix(gatedRowsOf(gate, up, table), inner, format, {table, 1});
    const Expected gates = multiplyExactly(format, rows, gate);
    const Expected ups = multiplyExactly(format, rows, up);
    for (const Activation activation : kActivations) {
      const Multiplication multiplication{table, format, rows, matrix, columns, Finish::kGate, activation, {}};
      multiplication.expectResults(gateExactly(activateExactly(activation, gates), ups),
                                   "with a gate " + describe(table, format, inner, columns));
      multiplication.expectNarrow("with a gate " + describe(table, format, inner, columns));
    }
  });
}

void readsColumns(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, Format format, std::int64_t inner, std::int64_t columns) {
    const at::Tensor weight = at::randn({columns, inner});
    const PackedMatrix matrix(rowsOf({weight}), inner, format, {table, 1});
    const Held held = hold(format, weight);
    const at::Tensor numbers = held.numbers.to(at::kFloat);
    const at::Tensor received = at::empty_like(weight);
    for (std::int64_t column = 0; column < columns; ++column)
      matrix.readColumn(column, dataOf(received) + column * inner);
    expect(at::equal(received, held.scales.defined() ? numbers * held.scales : numbers),
           "the numbers that were packed " + describe(table, format, inner, columns));
  });
}

void multipliesSelectedColumns(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  forEachShape([](const Kernels& table, Format format, std::int64_t inner, std::int64_t columns) {
    const at::Tensor weight = at::randn({columns, inner});
    const at::Tensor rows = at::randn({3, inner});
    const PackedMatrix matrix(rowsOf({weight}), inner, format, {table, 1});
    std::vector<std::int64_t> chosen;
    for (std::int64_t column = 0; column < columns + 3; ++column) chosen.push_back(column * 11 % columns);
    const auto count = static_cast<std::int64_t>(chosen.size());
    const PackedMatrix selected = matrix.select(chosen);
    const auto product = [&](const PackedMatrix& of, std::int64_t width) {
      return Multiplication{table, format, rows, of, width, Finish::kStore, Activation::kRelu, {}}.run(0, 3);
    };
    const at::Tensor all = product(matrix, columns);
    const at::Tensor some = product(selected, count);
    expect(at::equal(some, all.index_select(1, at::tensor(chosen, at::kLong))),
           "the bits of selected columns " + describe(table, format, inner, columns));
  });
}

/// One row [1, n] through an activation: a product of numbers with 1.
void activates(std::span<char*>) {
  const c10::InferenceMode inferenceMode;
  const at::Tensor numbers =
      at::cat({at::linspace(-130, 130, 4001), at::linspace(-6, 6, 4001), at::tensor({0.0F, -0.0F, 1e30F, -1e30F})});
  const at::Tensor column = numbers.unsqueeze(1);
  for (const Kernels* table : usableKernels()) {
    const at::Tensor one = at::ones({1, 1});
    const PackedMatrix matrix(rowsOf({one}), 1, Format::kFloat32, {*table, 1});
    for (const Activation activation : kActivations) {
      const Multiplication multiplication{*table, Format::kFloat32,  column,     matrix,
                                          1,      Finish::kActivate, activation, {}};
      const at::Tensor expected = activate(activation, column.to(at::kDouble));
      // Relative where a result is large; near 0 the rest of a sum that cancels.
      expectWithin(multiplication.run(0, column.size(0)), {expected, expected.abs() * 2e-6 + 2e-7},
                   std::string("an activation by ") + table->name);
    }
  }
}

constexpr std::array<test::Test, 5> kTests{{
    {"multiply in every format, a row's bits the same in any company", multiplies},
    {"multiply and gate", multipliesGated},
    {"read packed numbers again", readsColumns},
    {"multiply with selected columns of a matrix, bit for bit", multipliesSelectedColumns},
    {"apply every activation over the whole range", activates},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
