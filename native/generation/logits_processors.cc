#include "generation/logits_processors.h"

#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/isin.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "engine/tensors.h"

namespace torch_t5 {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Penalties

/// Makes the tokens of `ids` [rows, any] less likely by a factor over 1, whichever sign a score has.
at::Tensor penalize(const at::Tensor& ids, const at::Tensor& scores, double penalty) {
  const at::Tensor chosen = at::gather(scores, 1, ids);
  return at::scatter(scores, 1, ids, at::where(chosen < 0, chosen * penalty, chosen / penalty));
}

LogitsProcessor repetitionPenaltyLogitsProcessor(double penalty) {
  return [penalty](const at::Tensor& sequences, const at::Tensor& scores) {
    const std::int64_t vocabSize = scores.size(-1);
    // Ids beyond the scores' vocabulary write to one extra column, which is cut off afterwards.
    const at::Tensor padded = at::constant_pad_nd(scores, {0, 1}, 0);
    return penalize(sequences.clamp_max(vocabSize), padded, penalty).slice(-1, 0, vocabSize);
  };
}

LogitsProcessor encoderRepetitionPenaltyLogitsProcessor(double penalty, at::Tensor encoderInputIds) {
  return [penalty = 1 / penalty, encoderInputIds = std::move(encoderInputIds)](const at::Tensor&,
                                                                               const at::Tensor& scores) {
    const std::int64_t rowsPerSource = scores.size(0) / encoderInputIds.size(0);
    const at::Tensor ids =
        rowsPerSource > 1 ? at::repeat_interleave(encoderInputIds, rowsPerSource, 0) : encoderInputIds;
    return penalize(ids, scores, penalty);
  };
}

LogitsProcessor exponentialDecayLengthPenalty(const ExponentialDecay& decay, at::Tensor eosTokenIds,
                                              std::int64_t promptLength) {
  return [start = decay.start + promptLength, factor = decay.factor, eosTokenIds = std::move(eosTokenIds)](
             const at::Tensor& sequences, const at::Tensor& scores) {
    const std::int64_t length = sequences.size(1);
    if (length <= start) return scores;
    const at::Tensor chosen = at::index_select(scores, 1, eosTokenIds);
    // The addend is a multiple of the absolute score, so that a negative score rises as well.
    const at::Tensor added = (at::abs(chosen) * (std::pow(factor, static_cast<double>(length - start)) - 1))
                                 .masked_fill(at::isfinite(chosen).logical_not(), 0.0);
    return scores + at::zeros_like(scores).index_copy(1, eosTokenIds, added);
  };
}

// Biases

/// Biased sequences of one length. Their prefixes are compared with the last ids of what was generated.
struct BiasGroup {
  at::Tensor prefixes;    // [n, length - 1]
  at::Tensor lastTokens;  // [n]
  at::Tensor biases;      // [n] float32
};

BiasGroup makeGroup(const std::vector<const SequenceBias*>& sequences, const at::Device& device) {
  std::vector<std::int32_t> prefixes;
  std::vector<std::int32_t> lastTokens;
  std::vector<float> biases;
  for (const SequenceBias* sequence : sequences) {
    prefixes.insert(prefixes.end(), sequence->ids.begin(), sequence->ids.end() - 1);
    lastTokens.push_back(sequence->ids.back());
    biases.push_back(static_cast<float>(sequence->bias));
  }
  const auto count = static_cast<std::int64_t>(sequences.size());
  const auto length = static_cast<std::int64_t>(sequences.front()->ids.size()) - 1;
  return {toTensor(prefixes, count, length, device), toTensor(lastTokens, device), at::tensor(biases).to(device)};
}

LogitsProcessor sequenceBiasLogitsProcessor(const std::vector<SequenceBias>& biases, const at::Device& device) {
  std::vector<std::int32_t> singleIds;
  std::vector<float> singleBiases;
  std::vector<std::vector<const SequenceBias*>> byLength;  // ordered by the first occurrence of each length
  for (const SequenceBias& sequence : biases) {
    if (sequence.ids.size() == 1) {
      singleIds.push_back(sequence.ids.front());
      singleBiases.push_back(static_cast<float>(sequence.bias));
      continue;
    }
    const auto sameLength = std::find_if(byLength.begin(), byLength.end(), [&](const auto& group) {
      return group.front()->ids.size() == sequence.ids.size();
    });
    if (sameLength != byLength.end()) {
      sameLength->push_back(&sequence);
    } else {
      byLength.push_back({&sequence});
    }
  }
  std::vector<BiasGroup> groups;
  for (const auto& sequences : byLength) groups.push_back(makeGroup(sequences, device));
  return [groups, ids = toTensor(singleIds, device), values = at::tensor(singleBiases).to(device)](
             const at::Tensor& sequences, const at::Tensor& scores) {
    at::Tensor bias = at::zeros_like(scores);
    if (ids.numel() > 0) bias += at::zeros({scores.size(-1)}, scores.options()).index_copy(0, ids, values);
    for (const auto& [prefixes, lastTokens, groupBiases] : groups) {
      const std::int64_t length = prefixes.size(1);
      if (length > sequences.size(1)) continue;
      const at::Tensor ends = sequences.unsqueeze(1).slice(-1, sequences.size(1) - length);
      const at::Tensor matches = (ends == prefixes).all(-1);  // [rows, n]
      bias.index_add_(1, lastTokens, at::where(matches, groupBiases, 0.0).to(bias.scalar_type()));
    }
    return scores + bias;
  };
}

LogitsProcessor noBadWordsLogitsProcessor(const std::vector<std::vector<std::int32_t>>& badWordsIds,
                                          const at::Device& device) {
  std::vector<SequenceBias> biases;
  biases.reserve(badWordsIds.size());
  for (const auto& ids : badWordsIds) biases.push_back({ids, -kInfinity});
  return sequenceBiasLogitsProcessor(biases, device);
}

// N-grams. Ids are compared on the CPU because they are few.

using Ids = std::span<const std::int64_t>;

Ids rowOf(const at::Tensor& ids, std::int64_t row) {
  const auto length = static_cast<std::size_t>(ids.size(1));
  return {ids.const_data_ptr<std::int64_t>() + static_cast<std::size_t>(row) * length, length};
}

/// The last `size - 1` ids of a sequence, which has at least that many.
Ids prefixOfNext(Ids sequence, std::int64_t size) { return sequence.last(static_cast<std::size_t>(size) - 1); }

/// Marks in `banned` [V] each id that follows `prefix` somewhere in `ids`.
void banFollowers(Ids ids, Ids prefix, std::span<bool> banned) {
  const std::size_t size = prefix.size() + 1;
  for (std::size_t at = 0; at + size <= ids.size(); ++at) {
    const Ids window = ids.subspan(at, size);
    const auto last = static_cast<std::size_t>(window.back());
    if (last < banned.size() && std::equal(prefix.begin(), prefix.end(), window.begin())) banned[last] = true;
  }
}

/// Scores with -infinity for the ids that `ban(row, banned)` marks in `banned` [V].
template <class Ban>
at::Tensor withoutBanned(const at::Tensor& scores, Ban&& ban) {
  at::Tensor banned =
      at::zeros_like(scores, at::TensorOptions().dtype(at::kBool).device(at::kCPU), at::MemoryFormat::Contiguous);
  const auto vocabSize = static_cast<std::size_t>(scores.size(1));
  bool* data = banned.data_ptr<bool>();
  for (std::int64_t row = 0; row < scores.size(0); ++row) {
    ban(row, std::span(data + static_cast<std::size_t>(row) * vocabSize, vocabSize));
  }
  return scores.masked_fill(banned.to(scores.device()), -kInfinity);
}

LogitsProcessor noRepeatNgramLogitsProcessor(std::int64_t size) {
  return [size](const at::Tensor& sequences, const at::Tensor& scores) {
    if (sequences.size(1) < size) return scores;
    const at::Tensor ids = sequences.cpu().contiguous();
    return withoutBanned(scores, [&](std::int64_t row, std::span<bool> banned) {
      const Ids own = rowOf(ids, row);
      banFollowers(own, prefixOfNext(own, size), banned);
    });
  };
}

LogitsProcessor encoderNoRepeatNgramLogitsProcessor(std::int64_t size, const at::Tensor& encoderInputIds) {
  return [size, source = encoderInputIds.cpu().contiguous()](const at::Tensor& sequences, const at::Tensor& scores) {
    if (sequences.size(1) + 1 < size) return scores;
    const at::Tensor ids = sequences.cpu().contiguous();
    const std::int64_t rowsPerSource = scores.size(0) / source.size(0);
    return withoutBanned(scores, [&](std::int64_t row, std::span<bool> banned) {
      banFollowers(rowOf(source, row / rowsPerSource), prefixOfNext(rowOf(ids, row), size), banned);
    });
  };
}

// Constraints

at::Tensor suppress(const at::Tensor& scores, const at::Tensor& ids) {
  const at::Tensor vocabulary = at::arange(scores.size(-1), ids.options());
  return at::where(at::isin(vocabulary, ids), -kInfinity, scores);
}

/// Also `MinNewTokensLengthLogitsProcessor`: `minLength` is then the prompt's length plus the number of new tokens.
LogitsProcessor minLengthLogitsProcessor(std::int64_t minLength, at::Tensor eosTokenIds) {
  return [minLength, eosTokenIds = std::move(eosTokenIds)](const at::Tensor& sequences, const at::Tensor& scores) {
    return sequences.size(1) < minLength ? suppress(scores, eosTokenIds) : scores;
  };
}

LogitsProcessor suppressTokensLogitsProcessor(at::Tensor ids) {
  return [ids = std::move(ids)](const at::Tensor&, const at::Tensor& scores) { return suppress(scores, ids); };
}

LogitsProcessor suppressTokensAtBeginLogitsProcessor(at::Tensor ids, std::int64_t beginIndex) {
  return [beginIndex, ids = std::move(ids)](const at::Tensor& sequences, const at::Tensor& scores) {
    return sequences.size(1) == beginIndex ? suppress(scores, ids) : scores;
  };
}

/// `ForcedBOSTokenLogitsProcessor` and `ForcedEOSTokenLogitsProcessor`: if a sequence has exactly `length` ids, the
/// next one is one of `ids`.
LogitsProcessor forcedTokenLogitsProcessor(at::Tensor ids, std::int64_t length) {
  return [length, ids = std::move(ids)](const at::Tensor& sequences, const at::Tensor& scores) {
    if (sequences.size(1) != length) return scores;
    return at::full_like(scores, -kInfinity).index_fill(1, ids, 0);
  };
}

LogitsProcessor infNanRemoveLogitsProcessor() {
  return [](const at::Tensor&, const at::Tensor& scores) {
    const at::Tensor noNan = at::where(scores != scores, 0.0, scores);
    const at::Tensor bounded = at::where(scores == kInfinity, std::numeric_limits<float>::max(), noNan);
    return at::where(scores == -kInfinity, std::numeric_limits<float>::lowest(), bounded);
  };
}

}  // namespace

std::vector<LogitsProcessor> makeLogitsProcessors(const GenerateOptions& options, const EncoderOutput& encoderOutput,
                                                  std::int64_t promptLength) {
  const at::Tensor& encoderInputIds = encoderOutput.inputIds;
  const at::Device device = encoderInputIds.device();
  const at::Tensor eosTokenIds = toTensor(options.eosTokenIds, device);
  const bool hasEos = !options.eosTokenIds.empty();
  std::vector<LogitsProcessor> list;
  if (!options.sequenceBias.empty()) list.push_back(sequenceBiasLogitsProcessor(options.sequenceBias, device));
  if (options.encoderRepetitionPenalty != 1)
    list.push_back(encoderRepetitionPenaltyLogitsProcessor(options.encoderRepetitionPenalty, encoderInputIds));
  if (options.repetitionPenalty != 1) list.push_back(repetitionPenaltyLogitsProcessor(options.repetitionPenalty));
  if (options.noRepeatNgramSize > 0) list.push_back(noRepeatNgramLogitsProcessor(options.noRepeatNgramSize));
  if (options.encoderNoRepeatNgramSize > 0)
    list.push_back(encoderNoRepeatNgramLogitsProcessor(options.encoderNoRepeatNgramSize, encoderInputIds));
  if (!options.badWordsIds.empty()) list.push_back(noBadWordsLogitsProcessor(options.badWordsIds, device));
  if (options.minLength > 0 && hasEos) list.push_back(minLengthLogitsProcessor(options.minLength, eosTokenIds));
  if (options.minNewTokens > 0 && hasEos)
    list.push_back(minLengthLogitsProcessor(promptLength + options.minNewTokens, eosTokenIds));
  if (options.forcedBosTokenId)
    list.push_back(forcedTokenLogitsProcessor(at::full({1}, *options.forcedBosTokenId, eosTokenIds.options()), 1));
  if (!options.forcedEosTokenIds.empty())
    list.push_back(forcedTokenLogitsProcessor(toTensor(options.forcedEosTokenIds, device), options.maxLength - 1));
  if (options.removeInvalidValues) list.push_back(infNanRemoveLogitsProcessor());
  if (options.exponentialDecayLengthPenalty)
    list.push_back(exponentialDecayLengthPenalty(*options.exponentialDecayLengthPenalty, eosTokenIds, promptLength));
  if (!options.suppressTokens.empty())
    list.push_back(suppressTokensLogitsProcessor(toTensor(options.suppressTokens, device)));
  if (!options.beginSuppressTokens.empty()) {
    const bool beginsAfterForcedBos = promptLength == 1 && options.forcedBosTokenId.has_value();
    list.push_back(suppressTokensAtBeginLogitsProcessor(toTensor(options.beginSuppressTokens, device),
                                                        promptLength + (beginsAfterForcedBos ? 1 : 0)));
  }
  return list;
}

}  // namespace torch_t5
