// Forbids n-grams that were there before. Ids are compared on the CPU: they are few.
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <span>

#include "generation/logits_processor.h"

namespace torch_t5 {
namespace {

using Ids = std::span<const std::int64_t>;

Ids rowOf(const at::Tensor& ids, std::int64_t row) {
  const auto length = static_cast<std::size_t>(ids.size(1));
  return {ids.const_data_ptr<std::int64_t>() + static_cast<std::size_t>(row) * length, length};
}

/// The last `size - 1` ids of a sequence, which is long enough.
Ids endOf(Ids sequence, std::size_t size) { return sequence.last(size - 1); }

/// Marks in `banned` [V] what followed `prefix` somewhere in `ids`.
void banFollowers(Ids ids, Ids prefix, bool* banned, std::int64_t vocabSize) {
  const std::size_t size = prefix.size() + 1;
  for (std::size_t at = 0; at + size <= ids.size(); ++at) {
    const Ids window = ids.subspan(at, size);
    const std::int64_t last = window.back();
    if (last < vocabSize && std::equal(prefix.begin(), prefix.end(), window.begin())) banned[last] = true;
  }
}

/// Scores with -infinity where `ban(row, banned)` says so.
template <class Ban>
at::Tensor withoutBanned(const at::Tensor& scores, Ban&& ban) {
  at::Tensor banned =
      at::zeros_like(scores, at::TensorOptions().dtype(at::kBool).device(at::kCPU), at::MemoryFormat::Contiguous);
  bool* data = banned.data_ptr<bool>();
  for (std::int64_t row = 0; row < scores.size(0); ++row) ban(row, data + row * scores.size(1));
  return scores.masked_fill(banned.to(scores.device()), -std::numeric_limits<double>::infinity());
}

}  // namespace

LogitsProcessor noRepeatNgram(std::int64_t size) {
  return [size](const at::Tensor& sequences, const at::Tensor& scores) {
    if (sequences.size(1) < size) return scores;
    const at::Tensor ids = sequences.cpu().contiguous();
    return withoutBanned(scores, [&](std::int64_t row, bool* banned) {
      const Ids own = rowOf(ids, row);
      banFollowers(own, endOf(own, static_cast<std::size_t>(size)), banned, scores.size(1));
    });
  };
}

LogitsProcessor encoderNoRepeatNgram(std::int64_t size, const at::Tensor& encoderInputIds) {
  return [size, source = encoderInputIds.cpu().contiguous()](const at::Tensor& sequences, const at::Tensor& scores) {
    if (sequences.size(1) + 1 < size) return scores;
    const at::Tensor ids = sequences.cpu().contiguous();
    const std::int64_t rowsPerSource = scores.size(0) / source.size(0);
    return withoutBanned(scores, [&](std::int64_t row, bool* banned) {
      banFollowers(rowOf(source, row / rowsPerSource), endOf(rowOf(ids, row), static_cast<std::size_t>(size)), banned,
                   scores.size(1));
    });
  };
}

}  // namespace torch_t5
