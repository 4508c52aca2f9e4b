// Sizes that inputs are padded to, so that inputs of similar sizes share a graph, and the graphs that are kept.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <list>

namespace torch_t5 {

inline std::int64_t roundUp(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// A power of two.
inline std::int64_t paddedRows(std::int64_t rows) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(rows)));
}

/// A multiple of an eighth of the length, but of at least `minimum`.
inline std::int64_t paddedLength(std::int64_t length, std::int64_t minimum) {
  const auto eighth = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(length))) / 8;
  return roundUp(length, std::max(eighth, minimum));
}

/// Up to `count` values, of which the least recently used makes room for a new one.
template <class Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(std::size_t count) : count_(count) {}

  /// The value for which `matches` is true, or else the one that `make` returns.
  template <class Matches, class Make>
  Value& find(const Matches& matches, const Make& make) {
    const auto found = std::find_if(values_.begin(), values_.end(), matches);
    if (found != values_.end()) {
      values_.splice(values_.begin(), values_, found);
      return values_.front();
    }
    if (values_.size() == count_) values_.pop_back();  // first, so that its memory is free for the new one
    return values_.emplace_front(make());
  }

 private:
  std::size_t count_;
  std::list<Value> values_;  // the most recently used first
};

}  // namespace torch_t5
