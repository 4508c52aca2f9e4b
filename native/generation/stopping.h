// When a sequence ends: transformers.generation.stopping_criteria.
#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "generation/options.h"
#include "generation/token_texts.h"

namespace torch_t5 {

class StoppingCriteria {
 public:
  /// `maxTime` counts from now on. `texts` may be null where there are no stop strings.
  /// Throws ERR_INVALID_ARGUMENT for stop strings without texts.
  StoppingCriteria(const GenerationOptions& options, std::shared_ptr<const TokenTexts> texts, const at::Device& device);

  /// bool [rows]: which of the sequences [rows, length] are complete.
  at::Tensor operator()(const at::Tensor& sequences) const;

 private:
  using Clock = std::chrono::steady_clock;

  bool endsWithStopString(const std::int64_t* ids, std::int64_t length) const;

  std::int64_t maxLength_;
  at::Tensor eosTokenIds_;
  std::vector<std::string> stopStrings_;
  std::size_t longestStopString_ = 0;  // in characters: as many ids, counted from the end, are looked at
  std::shared_ptr<const TokenTexts> texts_;
  std::optional<Clock::duration> maxTime_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace torch_t5
