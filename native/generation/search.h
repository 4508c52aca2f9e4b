// `generate`: from a request to sequences. A search generates one token at a time, so that `stream` and a user's own
// logits processor can act between two tokens:
//
//   prepare: computes the logits of the next position and applies the processors
//   (a user's own processor edits the scores)
//   advance: applies the warpers, chooses the tokens and decides whether they are the last ones
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/decoding.h"
#include "engine/encoding.h"
#include "engine/log_probs.h"
#include "engine/result_copies.h"
#include "generation/logits_processors.h"
#include "generation/options.h"
#include "generation/stopping_criteria.h"

namespace torch_t5 {

struct GenerateRequest {
  EncoderSource source;
  std::int64_t targetLength = 0;
  std::vector<std::int32_t> decoderInputIds;  // [source rows, targetLength]
  GenerateOptions options;
  std::shared_ptr<const TokenTexts> texts;  // may be null if there are no stop strings
};

/// R: source rows x numReturnSequences. Q: the rows that are decoded. V: vocabSize. Contiguous CPU tensors, each the
/// only owner of its memory; float32 unless stated.
struct GenerateResult {
  at::Tensor sequences;                     // [R, length] int32
  std::vector<FinishReason> finishReasons;  // [R]
  std::vector<std::int64_t> lengths;        // [R]: generated ids, the one that ends the sequence included
  std::vector<at::Tensor> logits;           // per step [Q, V]; empty without returnLogits
  std::vector<at::Tensor> scores;           // per step [Q, V]; empty without returnScores
  at::Tensor sequenceScores;                // [R]; undefined without beams and returnScores
  at::Tensor beamIndices;       // [R, generated] int32, -1 after the end; undefined without beams and either option
  at::Tensor transitionScores;  // [R, generated]; undefined without returnScores
  TokenLogProbs logProbs;  // [R, generated] and [R, generated, k], 0 and -1 after the end; undefined without logProbs
};

/// The inputs of a search, on the engine's device.
struct SearchInputs {
  std::shared_ptr<const EncoderOutput> encoderOutput;
  at::Tensor decoderInputIds;  // [source rows, promptLength] int64
  const GenerateOptions& options;
  std::shared_ptr<const TokenTexts> texts;
};

/// Used in inference mode, by one thread at a time. It may be freed on any thread.
class Search {
 public:
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  virtual ~Search() = default;

  /// The scores [Q, V] of the next position, float32 on the CPU, the only owner of their memory. `advance` reads them
  /// again, so that writes to them take effect.
  Task<at::Tensor> prepareEditable(SharedEngine& engine);

  /// Chooses the next tokens, from the prepared scores if there are any. Returns whether they are the last ones. Throws
  /// ERR_INVALID_ARGUMENT if no token is left to sample, and if the vocabulary is too small for the beams' end ids; and
  /// what the engine throws.
  virtual Task<bool> advance(SharedEngine& engine);

  /// Advances until the search is done. Throws what `advance` throws.
  virtual Task<GenerateResult> run(SharedEngine& engine);

  bool done() const { return done_; }

  /// [Q, length] int64.
  const at::Tensor& sequences() const { return sequences_; }

  /// [R], int64, values of FinishReason: whether and why each sequence that would be returned now has ended.
  virtual at::Tensor finishReasons() const = 0;

  /// What a result has of the logits of one step.
  struct StepOutputs {
    at::Tensor logits;       // [Q, V], raw; undefined without returnLogits
    TokenLogProbs logProbs;  // [Q] and [Q, k]; undefined without logProbs
  };

  /// Moves the outputs of the last step out of the result.
  StepOutputs takeOutputs();

  /// Call it once, when the search is done.
  GenerateResult finish();

 protected:
  explicit Search(const SearchInputs& inputs);

  const GenerateOptions& options() const { return options_; }
  const DecoderState& state() const { return state_; }
  /// Whether the next token is that of the highest logit, and nothing else needs the logits.
  bool choosesHighestLogits() const;

  /// The same, and sequences end by end ids and the maximum length alone.
  bool choosesByLogits() const;

  /// The ids of the highest logits after the last of `ids` [Q, length], which the decoder has not read yet: int64 [Q].
  /// The sequences stay as they are.
  Task<at::Tensor> decodeToHighest(SharedEngine& engine, at::Tensor ids);

  /// The ids that the decoder reads next, [Q, length].
  at::Tensor unreadIds() const { return state_.position == 0 ? sequences_ : sequences_.slice(1, -1); }
  std::int64_t promptLength() const { return promptLength_; }
  std::int64_t sourceRows() const { return sourceRows_; }
  const std::vector<at::Tensor>& scores() const { return scores_; }
  const std::vector<TokenLogProbs>& logProbs() const { return logProbs_; }

  /// Samples `count` ids of each row without replacement: int64 [rows, count] from scores [rows, any].
  at::Tensor sample(const at::Tensor& scores, std::int64_t count);

  /// Throws ERR_INVALID_ARGUMENT if `sample` was given scores without enough tokens. On the CPU `sample` itself throws.
  void checkSamples() const;

  /// Drops all steps after the first `count`.
  void keepSteps(std::int64_t count);

  /// int64 [rows], values of FinishReason: whether and why each of the sequences [rows, length] ends with its last id.
  at::Tensor finishReasonsOf(const at::Tensor& sequences) const { return stoppingCriteria_(sequences); }

  /// Sets the sequences of the next step. `rows` [Q] int64: the decoded row that each of them continues; without it,
  /// each continues its own.
  void continueWith(at::Tensor sequences);
  void continueWith(at::Tensor sequences, const at::Tensor& rows);

  void setDone() { done_ = true; }

 private:
  /// The scores that the processors start from.
  virtual at::Tensor toScores(const at::Tensor& logits) const = 0;

  /// Chooses the next tokens by processed scores, calls `continueWith`, and `setDone` after the last step.
  virtual void selectTokens(const at::Tensor& scores) = 0;

  /// Fills in everything but `finishReasons`, `logits` and `scores`.
  virtual void fill(GenerateResult& result, ResultCopies& copies) = 0;

  Task<at::Tensor> prepare(SharedEngine& engine);

  GenerateOptions options_;
  std::int64_t sourceRows_;
  std::int64_t promptLength_;
  std::vector<LogitsProcessor> processors_;
  std::vector<LogitsProcessor> warpers_;
  StoppingCriteria stoppingCriteria_;
  at::Generator generator_;   // undefined without sampling
  at::Tensor usableSamples_;  // bool [] on the device: whether all scores so far could be sampled from
  std::int64_t sampleCount_ = 1;
  DecoderState state_;
  at::Tensor sequences_;
  at::Tensor prepared_;   // undefined outside of a step
  at::Tensor rawLogits_;  // of the step, for logProbs
  std::vector<at::Tensor> logits_;
  std::vector<at::Tensor> scores_;
  std::vector<TokenLogProbs> logProbs_;
  bool done_ = false;
};

/// Throws ERR_INVALID_ARGUMENT for an array of another size, for a number out of range, and for stop strings without
/// texts.
void check(const GenerateRequest& request);

/// The maximum size of the search's caches.
CacheSize cacheSize(const GenerateRequest& request);

/// Encodes the source if needed, and prepares greedy search or sampling, or with beams beam search or beam sampling.
/// The request must have passed `check`. Throws what the engine throws.
Task<std::shared_ptr<Search>> startSearch(SharedEngine& engine, std::shared_ptr<const GenerateRequest> request);

/// Runs a search to its end. Throws what `startSearch` and `Search::advance` throw.
Task<GenerateResult> runGenerate(SharedEngine& engine, std::shared_ptr<const GenerateRequest> request);

}  // namespace torch_t5
