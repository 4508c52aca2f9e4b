#include "generation/token_texts.h"

#include <algorithm>
#include <utility>

#include "core/errors.h"

namespace torch_t5 {

TokenTexts::TokenTexts(std::string bytes, std::vector<std::int32_t> offsets)
    : bytes_(std::move(bytes)), offsets_(std::move(offsets)) {
  const bool valid = !offsets_.empty() && offsets_.front() >= 0 && std::is_sorted(offsets_.begin(), offsets_.end()) &&
                     static_cast<std::size_t>(offsets_.back()) <= bytes_.size();
  if (!valid) throw Error(ErrorCode::kInvalidArgument, "Expected ascending offsets inside the bytes for offsets");
}

std::string_view TokenTexts::operator[](std::int64_t id) const {
  if (id < 0 || static_cast<std::size_t>(id) + 1 >= offsets_.size()) return {};
  const auto begin = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(id)]);
  const auto end = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(id) + 1]);
  return std::string_view(bytes_).substr(begin, end - begin);
}

}  // namespace torch_t5
