#include "fused/ragged_batch.h"

#include <algorithm>
#include <limits>

namespace torch_t5 {

void RaggedBatch::add(const at::Tensor& attentionMask) {
  const at::Tensor contiguous = attentionMask.contiguous();
  const std::int64_t size = contiguous.size(1);
  for (std::int64_t b = 0; b < contiguous.size(0); ++b) {
    const std::int64_t* kept = contiguous.const_data_ptr<std::int64_t>() + b * size;
    std::int64_t first = 0;
    std::int64_t end = size;
    while (first < end && kept[first] == 0) ++first;
    while (end > first && kept[end - 1] == 0) --end;
    if (first == end) {
      first = 0;
      end = size;
    }
    Sequence& sequence = sequences_.emplace_back(Sequence{first, end - first, rowCount_, nullptr});
    rowCount_ += sequence.length;
    maxLength_ = std::max(maxLength_, sequence.length);
    if (std::find(kept + first, kept + end, 0) == kept + end) continue;
    std::vector<float>& mask = masks_.emplace_back(static_cast<std::size_t>(sequence.length));
    for (std::int64_t i = 0; i < sequence.length; ++i)
      mask[static_cast<std::size_t>(i)] = kept[first + i] != 0 ? 0 : std::numeric_limits<float>::lowest();
    sequence.mask = mask.data();
  }
}

}  // namespace torch_t5
