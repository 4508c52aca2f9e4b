// How tokens are chosen: Hugging Face's `GenerationConfig`, every default filled in. Lengths count from the first id of
// the decoder's input, as there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torch_t5 {

enum class EarlyStopping { kFalse, kTrue, kNever };

struct SequenceBias {
  std::vector<std::int32_t> ids;
  double bias = 0;
};

struct ExponentialDecay {
  std::int64_t start = 0;  // from the end of the decoder's input
  double factor = 1;
};

struct GenerationOptions {
  std::int64_t maxLength = 0;
  std::int64_t minLength = 0;
  std::int64_t minNewTokens = 0;
  std::vector<std::int32_t> eosTokenIds;  // possibly none
  std::int64_t padTokenId = 0;  // what fills a sequence that ended before others; -1: nothing, it goes on with them

  std::int64_t numBeams = 1;
  std::int64_t numReturnSequences = 1;
  double lengthPenalty = 1;
  EarlyStopping earlyStopping = EarlyStopping::kFalse;

  bool doSample = false;
  std::uint64_t seed = 0;  // torch.manual_seed's
  double temperature = 1;
  std::int64_t topK = 0;  // 0: off
  double topP = 1;
  std::optional<double> minP;
  double typicalP = 1;
  double epsilonCutoff = 0;  // 0: off
  double etaCutoff = 0;      // 0: off

  double repetitionPenalty = 1;
  double encoderRepetitionPenalty = 1;
  std::int64_t noRepeatNgramSize = 0;         // 0: off
  std::int64_t encoderNoRepeatNgramSize = 0;  // 0: off
  std::vector<std::vector<std::int32_t>> badWordsIds;
  std::vector<SequenceBias> sequenceBias;
  std::optional<std::int64_t> forcedBosTokenId;
  std::vector<std::int32_t> forcedEosTokenIds;
  std::vector<std::int32_t> suppressTokens;
  std::vector<std::int32_t> beginSuppressTokens;
  std::optional<ExponentialDecay> exponentialDecay;
  bool renormalizeLogits = false;
  bool removeInvalidValues = false;

  std::vector<std::string> stopStrings;
  std::optional<double> maxTime;  // seconds

  bool returnLogits = false;
  bool returnScores = false;

  /// The rows that one source row becomes: Hugging Face's `expand_size`.
  std::int64_t rowsPerSource() const { return numBeams > numReturnSequences ? numBeams : numReturnSequences; }
};

/// Throws ERR_INVALID_ARGUMENT where a number would make an array of a wrong size.
void check(const GenerationOptions& options, std::int64_t promptLength);

}  // namespace torch_t5
