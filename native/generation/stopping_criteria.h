// Decides when a sequence ends: transformers.generation.stopping_criteria.
#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "generation/options.h"

namespace torch_t5 {

/// The UTF-8 bytes of every id's text. Stop strings are searched for in them.
class TokenTexts {
 public:
  /// `bytes`: the texts of all ids, concatenated. `offsets` [ids + 1]: where each text begins, and where the last one
  /// ends. Throws ERR_INVALID_ARGUMENT unless the offsets ascend within the bytes.
  TokenTexts(std::string bytes, std::vector<std::int32_t> offsets);

  /// Empty for an id without a text.
  std::string_view operator[](std::int64_t id) const;

 private:
  std::string bytes_;
  std::vector<std::int32_t> offsets_;
};

/// Why a sequence ends. The first that applies, in this order, to the id that ends it.
enum class FinishReason : std::int64_t {
  kUnfinished = 0,
  kEos,     // an end id
  kStop,    // a stop string
  kLength,  // the maximum length
  kTime,    // `maxTime` was over
};

/// The reasons of an int64 tensor [n] on any device.
std::vector<FinishReason> toFinishReasons(const at::Tensor& reasons);

class StoppingCriteria {
 public:
  /// `maxTime` starts to count now. `texts` may be null if there are no stop strings.
  StoppingCriteria(const GenerateOptions& options, std::shared_ptr<const TokenTexts> texts, const at::Device& device);

  /// int64 [rows], values of FinishReason: whether and why each of the sequences [rows, length] ends with its last id.
  at::Tensor operator()(const at::Tensor& sequences) const;

 private:
  using Clock = std::chrono::steady_clock;

  FinishReason limitReached(std::int64_t length) const;
  bool endsWithStopString(const std::int64_t* ids, std::int64_t length) const;

  std::int64_t maxLength_;
  at::Tensor eosTokenIds_;
  std::vector<std::string> stopStrings_;
  std::size_t maxStopStringLength_ = 0;  // in characters; this many of the last ids are searched, as in Hugging Face
  std::shared_ptr<const TokenTexts> texts_;
  std::optional<Clock::duration> maxTime_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace torch_t5
