#include "generation/stopping_criteria.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isin.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <utility>

#include "core/errors.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

std::size_t countCharacters(const std::string& utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

std::int64_t code(FinishReason reason) { return static_cast<std::int64_t>(reason); }

}  // namespace

std::vector<FinishReason> toFinishReasons(const at::Tensor& reasons) {
  std::vector<FinishReason> converted;
  for (const std::int64_t reason : toVector(reasons)) converted.push_back(static_cast<FinishReason>(reason));
  return converted;
}

TokenTexts::TokenTexts(std::string bytes, std::vector<std::int32_t> offsets)
    : bytes_(std::move(bytes)), offsets_(std::move(offsets)) {
  const bool valid = !offsets_.empty() && offsets_.front() >= 0 && std::is_sorted(offsets_.begin(), offsets_.end()) &&
                     static_cast<std::size_t>(offsets_.back()) <= bytes_.size();
  if (valid) return;
  throw Error(ErrorCode::kInvalidArgument, "Expected ascending offsets within bytes for offsets but received others");
}

std::string_view TokenTexts::operator[](std::int64_t id) const {
  if (id < 0 || static_cast<std::size_t>(id) + 1 >= offsets_.size()) return {};
  const auto begin = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(id)]);
  const auto end = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(id) + 1]);
  return std::string_view(bytes_).substr(begin, end - begin);
}

StoppingCriteria::StoppingCriteria(const GenerateOptions& options, std::shared_ptr<const TokenTexts> texts,
                                   const at::Device& device)
    : maxLength_(options.maxLength),
      eosTokenIds_(toTensor(options.eosTokenIds, device)),
      stopStrings_(options.stopStrings),
      texts_(std::move(texts)) {
  if (options.maxTime) {
    maxTime_ = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*options.maxTime));
  }
  for (const std::string& stop : stopStrings_) {
    maxStopStringLength_ = std::max(maxStopStringLength_, countCharacters(stop));
  }
}

at::Tensor StoppingCriteria::operator()(const at::Tensor& sequences) const {
  const std::int64_t rows = sequences.size(0);
  const std::int64_t length = sequences.size(1);
  at::Tensor reasons = at::full({rows}, code(limitReached(length)), sequences.options());
  if (!stopStrings_.empty()) {
    const at::Tensor ids = sequences.cpu().contiguous();
    at::Tensor stopped = at::empty({rows}, at::kBool);
    for (std::int64_t row = 0; row < rows; ++row) {
      stopped.data_ptr<bool>()[row] = endsWithStopString(ids.const_data_ptr<std::int64_t>() + row * length, length);
    }
    reasons = at::where(stopped.to(reasons.device()), code(FinishReason::kStop), reasons);
  }
  if (eosTokenIds_.numel() == 0) return reasons;
  const at::Tensor areEnds = at::isin(sequences.select(1, length - 1), eosTokenIds_);
  return at::where(areEnds, code(FinishReason::kEos), reasons);
}

/// The limit that ends all sequences of this length, whatever their ids.
FinishReason StoppingCriteria::limitReached(std::int64_t length) const {
  if (length >= maxLength_) return FinishReason::kLength;
  const bool isOver = maxTime_ && Clock::now() - start_ > *maxTime_;
  return isOver ? FinishReason::kTime : FinishReason::kUnfinished;
}

/// Whether a stop string ends within the last id's text, which may continue after it.
bool StoppingCriteria::endsWithStopString(const std::int64_t* ids, std::int64_t length) const {
  const std::string_view last = (*texts_)[ids[length - 1]];
  std::string text;
  const auto searched = std::min<std::int64_t>(length, static_cast<std::int64_t>(maxStopStringLength_));
  for (std::int64_t at = length - searched; at < length; ++at) text += (*texts_)[ids[at]];
  const std::size_t before = text.size() - last.size();
  return std::any_of(stopStrings_.begin(), stopStrings_.end(), [&](const std::string& stop) {
    // A match that ends at `before` or earlier was found without the last id.
    const std::size_t from = before >= stop.size() ? before - stop.size() + 1 : 0;
    return text.find(stop, from) != std::string::npos;
  });
}

}  // namespace torch_t5
