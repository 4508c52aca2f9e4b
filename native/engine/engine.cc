#include "engine/engine.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/repeat_interleave.h>

#include <utility>

namespace torch_t5 {
namespace {

at::Tensor everyRow(const Encoded& encoded) {
  return at::arange(encoded.batch(), encoded.inputIds.options().dtype(at::kLong));
}

}  // namespace

DecoderSource DecoderSource::select(const at::Tensor& rows) const {
  return {encoded, at::index_select(this->rows.defined() ? this->rows : everyRow(*encoded), 0, rows)};
}

DecoderSource repeatRows(std::shared_ptr<const Encoded> encoded, std::int64_t count) {
  at::Tensor rows;
  if (count != 1) rows = at::repeat_interleave(everyRow(*encoded), count);
  return {std::move(encoded), std::move(rows)};
}

}  // namespace torch_t5
