// Generation as a machine that moves one token at a time, so that somebody may look, or take part, between two tokens.
//
//   prepare: the next position's logits, and the processors
//   (a user's own processor edits the scores)
//   advance: the warpers, the choice of tokens, and whether that was the last one
#pragma once

#include <ATen/core/Generator.h>

#include <memory>
#include <vector>

#include "engine/decoding.h"
#include "generation/logits_processor.h"
#include "generation/stopping.h"

namespace torch_t5 {

/// R: source rows x numReturnSequences. Q: the rows that are decoded. Contiguous CPU tensors, alone in their memory.
struct GenerateResult {
  at::Tensor sequences;            // [R, length] int32
  std::vector<at::Tensor> logits;  // per step [Q, V]
  std::vector<at::Tensor> scores;
  at::Tensor sequenceScores;    // [R]; undefined without beams
  at::Tensor beamIndices;       // [R, generated] int32, -1 behind the end; undefined without beams
  at::Tensor transitionScores;  // [R, generated]; undefined unless scores were asked for
};

/// What a search starts from.
struct SearchStart {
  std::shared_ptr<const EncoderOutput> encoderOutput;
  at::Tensor decoderInputIds;  // [source rows, length] int64 on the device
  GenerationOptions options;
  std::shared_ptr<const TokenTexts> texts;  // null: no stop strings
};

/// Called under inference mode, by one thread at a time.
class Search {
 public:
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  virtual ~Search() = default;

  /// Scores [Q, V] of the next position, in memory of their own on the CPU: what is written there until `advance`
  /// counts.
  at::Tensor prepareEditable(Engine& engine);

  /// Chooses the next tokens, from what was prepared if anything was. Throws ERR_INVALID_ARGUMENT where no token is
  /// left to sample.
  void advance(Engine& engine);

  bool done() const { return done_; }

  /// [Q, length] int64.
  const at::Tensor& sequences() const { return sequences_; }

  /// The raw logits of the last step [Q, V]; they are no longer part of the result.
  at::Tensor takeLogits();

  /// Call it once, when it is done.
  GenerateResult finish();

 protected:
  explicit Search(const SearchStart& start);

  const GenerationOptions& options() const { return options_; }
  std::int64_t promptLength() const { return promptLength_; }
  std::int64_t sourceRows() const { return sourceRows_; }
  const std::vector<at::Tensor>& scores() const { return scores_; }

  /// int64 [rows] drawn from probabilities [rows, any], `count` of each row without replacement.
  at::Tensor sample(const at::Tensor& scores, std::int64_t count);

  at::Tensor isComplete(const at::Tensor& sequences) const { return stopping_(sequences); }

  /// The rows that the next step goes on with, and from which row each came.
  void continueWith(at::Tensor sequences);
  void continueWith(at::Tensor sequences, const at::Tensor& rows);

  void end() { done_ = true; }

 private:
  /// What processors see of logits.
  virtual at::Tensor toScores(const at::Tensor& logits) const = 0;
  virtual void select(const at::Tensor& scores) = 0;
  virtual void complete(GenerateResult& result) = 0;

  at::Tensor nextLogits(Engine& engine);
  const at::Tensor& prepare(Engine& engine);

  GenerationOptions options_;
  std::int64_t sourceRows_;
  std::int64_t promptLength_;
  std::vector<LogitsProcessor> processors_;
  std::vector<LogitsProcessor> warpers_;
  StoppingCriteria stopping_;
  at::Generator generator_;  // undefined without sampling
  DecoderState state_;
  at::Tensor sequences_;
  at::Tensor prepared_;
  std::vector<at::Tensor> logits_;
  std::vector<at::Tensor> scores_;
  bool done_ = false;
};

/// Greedy search and sampling, or with beams beam search and beam sampling. Throws ERR_INVALID_ARGUMENT.
std::unique_ptr<Search> makeSearch(const SearchStart& start);

}  // namespace torch_t5
