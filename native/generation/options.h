// The options of `generate`: Hugging Face's `GenerationConfig`, with every default filled in. As there, `maxLength` and
// `minLength` include the decoder's input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torch_t5 {

enum class EarlyStopping { kFalse, kTrue, kNever };

struct SequenceBias {
  std::vector<std::int32_t> ids;  // at least one
  double bias = 0;                // added to the score of the last id after the others
};

struct ExponentialDecay {
  std::int64_t start = 0;  // in generated tokens
  double factor = 1;
};

struct GenerateOptions {
  std::int64_t maxLength = 0;
  std::int64_t minLength = 0;
  std::int64_t minNewTokens = 0;
  std::vector<std::int32_t> eosTokenIds;  // may be empty
  std::int64_t padTokenId = 0;            // -1: a sequence that ends early is not padded but decoded on with the others

  std::int64_t numBeams = 1;
  std::int64_t numReturnSequences = 1;
  double lengthPenalty = 1;
  EarlyStopping earlyStopping = EarlyStopping::kFalse;

  bool doSample = false;
  std::uint64_t seed = 0;  // as `torch.manual_seed` takes it
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
  std::optional<ExponentialDecay> exponentialDecayLengthPenalty;
  bool renormalizeLogits = false;
  bool removeInvalidValues = false;

  std::vector<std::string> stopStrings;
  std::optional<double> maxTime;  // seconds

  bool returnLogits = false;
  bool returnScores = false;
  std::optional<std::int64_t> logProbs;  // of the chosen token, and of this many of the most probable ones

  /// Whether the result has anything of the logits of each step.
  bool observesSteps() const { return returnLogits || returnScores || logProbs.has_value(); }

  /// The rows that are decoded for each source row: Hugging Face's `expand_size`.
  std::int64_t rowsPerSource() const { return numBeams > numReturnSequences ? numBeams : numReturnSequences; }
};

}  // namespace torch_t5
