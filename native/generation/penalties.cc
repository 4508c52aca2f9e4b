// Raises or lowers the scores of some tokens.
#include <ATen/ops/abs.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <map>
#include <memory>

#include "engine/tensors.h"
#include "generation/logits_processor.h"

namespace torch_t5 {
namespace {

/// Makes the tokens of `ids` [rows, any] less likely by a factor: a logit of either sign falls.
at::Tensor penalize(const at::Tensor& ids, const at::Tensor& scores, double penalty) {
  const at::Tensor chosen = at::gather(scores, 1, ids);
  return at::scatter(scores, 1, ids, at::where(chosen < 0, chosen * penalty, chosen / penalty));
}

/// Sequences of one length, to be compared with the ends of what was generated.
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

}  // namespace

LogitsProcessor repetitionPenalty(double penalty) {
  return [penalty](const at::Tensor& sequences, const at::Tensor& scores) {
    const std::int64_t vocabSize = scores.size(-1);
    // Ids that the head doesn't know go to a column of their own, which is cut off again.
    const at::Tensor padded = at::constant_pad_nd(scores, {0, 1}, 0);
    return penalize(sequences.clamp_max(vocabSize), padded, penalty).slice(-1, 0, vocabSize);
  };
}

LogitsProcessor encoderRepetitionPenalty(double penalty, at::Tensor encoderInputIds) {
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
    // A negative logit rises as well: what is added grows with its size.
    const at::Tensor added = (at::abs(chosen) * (std::pow(factor, static_cast<double>(length - start)) - 1))
                                 .masked_fill(at::isfinite(chosen).logical_not(), 0.0);
    return scores + at::zeros_like(scores).index_copy(1, eosTokenIds, added);
  };
}

LogitsProcessor sequenceBias(const std::vector<SequenceBias>& biases, const at::Device& device) {
  std::vector<SequenceBias> single;
  std::vector<std::vector<const SequenceBias*>> byLength;  // in the order in which lengths occur
  for (const SequenceBias& sequence : biases) {
    if (sequence.ids.size() == 1) {
      single.push_back(sequence);
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
  std::vector<std::int32_t> singleIds;
  std::vector<float> singleBiases;
  for (const SequenceBias& sequence : single) {
    singleIds.push_back(sequence.ids.front());
    singleBiases.push_back(static_cast<float>(sequence.bias));
  }
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

}  // namespace torch_t5
