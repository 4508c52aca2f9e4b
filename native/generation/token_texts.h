// The text of every id, as bytes: what stop strings are looked for in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace torch_t5 {

class TokenTexts {
 public:
  /// `bytes`: all texts one after the other; `offsets`: where each begins, and the end of the last.
  /// Throws ERR_INVALID_ARGUMENT for offsets that lead outside.
  TokenTexts(std::string bytes, std::vector<std::int32_t> offsets);

  /// Empty for an id that has none.
  std::string_view operator[](std::int64_t id) const;

 private:
  std::string bytes_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace torch_t5
