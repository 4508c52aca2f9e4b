#include "fused/cross_memo.h"

#include <ATen/ops/_unique2.h>
#include <ATen/ops/equal.h>

#include <numeric>
#include <tuple>

namespace torch_t5 {
namespace {

bool areSame(const at::Tensor& a, const at::Tensor& b) {
  if (a.defined() != b.defined()) return false;
  return !a.defined() || (a.sizes() == b.sizes() && at::equal(a, b));
}

}  // namespace

CrossMemo::Rows CrossMemo::rowsOf(const DecoderSource& source) const {
  Rows rows;
  if (source.rows.defined()) {
    at::Tensor inverse;
    std::tie(rows.encoderRows, inverse, std::ignore) = at::_unique2(source.rows, /*sorted=*/true,
                                                                    /*return_inverse=*/true);
    const auto* first = inverse.const_data_ptr<std::int64_t>();
    rows.sources.assign(first, first + inverse.numel());
    if (rows.encoderRows.numel() == source.encoderOutput->batch()) rows.encoderRows.reset();
  } else {
    rows.sources.resize(static_cast<std::size_t>(source.encoderOutput->batch()));
    std::iota(rows.sources.begin(), rows.sources.end(), 0);
  }
  if (encoderOutput_.lock() == source.encoderOutput && areSame(encoderRows_, rows.encoderRows))
    rows.cache = cache_.lock();
  return rows;
}

void CrossMemo::keep(const DecoderSource& source, const Rows& rows) {
  encoderOutput_ = source.encoderOutput;
  encoderRows_ = rows.encoderRows;
  cache_ = rows.cache;
}

}  // namespace torch_t5
