// The engine interface: T5's four methods on tensors. Callers depend on this file, never on an implementation
// (TorchScript, ATen operators, fused kernels).
//
// Floating-point tensors are float32, ids and masks int64, all on the engine's device. B batch, S source length, R
// decoded rows, T target length, D d_model, V vocabulary size, P selected positions, K selected tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace torch_t5 {

struct EngineCall;  // in engine_calls.h

/// The encoder's result, kept on the device. Nothing writes to its tensors, so any number of decoders may share them.
struct EncoderOutput {
  at::Tensor inputIds;         // [B, S]
  at::Tensor attentionMask;    // [B, S]
  at::Tensor lastHiddenState;  // [B, S, D]

  std::int64_t batch() const { return lastHiddenState.size(0); }
};

/// The rows of an encoder output that a decoder reads. The beams of a search and the targets of a score request share a
/// row.
struct DecoderSource {
  std::shared_ptr<const EncoderOutput> encoderOutput;
  at::Tensor rows;  // int64 [R] on the device: decoded row i reads row rows[i]; undefined: decoded row i reads row i

  /// R, the number of decoded rows.
  std::int64_t batch() const { return rows.defined() ? rows.size(0) : encoderOutput->batch(); }

  /// Decoded row i of the result reads what decoded row `rows[i]` of this source reads. `rows`: int64 on the device.
  /// libtorch throws for a row out of range.
  DecoderSource select(const at::Tensor& rows) const;
};

/// A source that reads each row `count` times in succession, as Hugging Face's `_expand_inputs_for_generation` does.
DecoderSource repeatRows(std::shared_ptr<const EncoderOutput> encoderOutput, std::int64_t count);

/// What a pass returns of every layer. Attention weights exist only with eager attention, which then computes all
/// outputs.
struct LayerSelection {
  bool hiddenStates = false;
  bool attentions = false;

  bool isEmpty() const { return !hiddenStates && !attentions; }
};

/// The logits that a pass computes: P of the T positions and K of the V tokens. The caller checks the ranges.
struct LogitsSelection {
  bool isEmpty = false;        // true: no logits; the output's are undefined
  at::Tensor positions;        // int64 [P] on the device, any order; undefined: all
  at::Tensor tokens;           // int64 [K] on the device, any order; undefined: all
  LayerSelection layers = {};  // returned besides the logits, of all positions
  bool needsStates = true;     // false: nobody reads the decoder's hidden states, so the output may lack them

  bool isAll() const { return !isEmpty && !positions.defined() && !tokens.defined(); }
};

/// For an engine that keeps no outputs of layers. Throws ERR_INVALID_ARGUMENT for a selection of any.
void refuseLayers(const LogitsSelection& selection);

/// The selection of all logits [B, T, V]: [B, P, K], or undefined. For an engine that always computes all of them.
at::Tensor selectLogits(at::Tensor logits, const LogitsSelection& selection);

/// Outputs of every layer; empty where they are not selected. Hidden states: the embeddings, then each layer's output,
/// the last after the final norm.
struct LayerOutputs {
  std::vector<at::Tensor> encoderHiddenStates;  // [B, S, D]
  std::vector<at::Tensor> decoderHiddenStates;  // [R, T, D]
  std::vector<at::Tensor> encoderAttentions;    // [B, heads, S, S]
  std::vector<at::Tensor> decoderAttentions;    // [R, heads, T, positions decoded so far]
  std::vector<at::Tensor> crossAttentions;      // [R, heads, T, S]
};

struct ForwardOutput {
  at::Tensor logits;                  // [B, P, K]
  at::Tensor encoderLastHiddenState;  // [B, S, D]
  at::Tensor decoderLastHiddenState;  // [B, T, D], after the final norm, before the scaling for a tied embedding
  LayerOutputs layers = {};
};

/// A decoder's cache: the keys and values of every layer, in the engine's own format. It is immutable to its holders: a
/// step returns a new one. Only the engine that made it uses it, on that engine's thread. It may be freed on any
/// thread, even after the engine.
class DecoderCache {
 public:
  DecoderCache() = default;
  DecoderCache(const DecoderCache&) = delete;
  DecoderCache& operator=(const DecoderCache&) = delete;
  virtual ~DecoderCache() = default;

  /// Row i of the result continues row `rows[i]`, as Hugging Face's `reorder_cache` does. `rows`: int64 on the device.
  virtual std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const = 0;
};

struct DecoderOutput {
  at::Tensor logits;                  // [R, P, K]
  at::Tensor decoderLastHiddenState;  // [R, T, D]
  std::shared_ptr<const DecoderCache> cache;
  LayerOutputs layers = {};  // none of the encoder
};

/// A greedy search after its first token.
struct GreedyRequest {
  at::Tensor ids;         // int64 [R] on the device: the last id of each sequence, not yet decoded
  at::Tensor unfinished;  // int64 [R] on the device: 1 for a sequence that goes on, 0 for one that has ended
  std::shared_ptr<const DecoderCache> cache;
  std::int64_t maxTokens = 0;  // at least 1
  std::vector<std::int32_t> eosTokenIds;
  std::int64_t padTokenId = 0;  // -1: a sequence that ends early is decoded on with the others
};

/// A greedy search from its first token on, which shares its steps with others.
struct GreedySearch {
  at::Tensor lastHiddenState;     // [R, S, D]
  at::Tensor attentionMask;       // int64 [R, S] on the CPU
  std::vector<std::int64_t> ids;  // [R]: the only id of each sequence
  std::int64_t maxTokens = 0;     // at least 1
  std::vector<std::int32_t> eosTokenIds;
  std::int64_t padTokenId = 0;  // as of GreedyRequest
};

/// The state of such a search. Whoever frees it ends the search. It may be freed on any thread.
class GreedyRun {
 public:
  GreedyRun() = default;
  GreedyRun(const GreedyRun&) = delete;
  GreedyRun& operator=(const GreedyRun&) = delete;
  virtual ~GreedyRun() = default;
};

/// The maximum size of the caches of a generation.
struct CacheSize {
  std::int64_t rows = 0;             // that are decoded
  std::int64_t positions = 0;        // of each row, at the end
  std::int64_t sourcePositions = 0;  // of all rows of the encoder's output
};

/// What a classifier of texts reads a text by.
struct Sentence {
  at::Tensor decoderInputIds;  // int64 [B, S] on the device: the source's ids, shifted
  at::Tensor positions;        // int64 [B] on the device: the position whose state stands for the row
};

/// Throws ERR_INVALID_ARGUMENT where a model is an encoder alone. JavaScript's classes have no method that needs more.
void expectDecoder(bool hasDecoder);

/// Throws ERR_INVALID_ARGUMENT where a model has no language-model head.
void expectLmHead(bool hasLmHead);

/// Throws ERR_INVALID_ARGUMENT where a model classifies nothing.
void expectClassifier(bool isClassifier);

/// Used in inference mode, by one thread at a time. Every output contains hidden states, except as
/// `LogitsSelection::needsStates` describes, and the selected logits. A method throws ERR_ABORTED if cancellation was
/// requested in this thread's `CancellationScope`. For other failures, such as an id outside the vocabulary or lack of
/// memory, it throws an `Error` or libtorch's exception.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual at::Device device() const = 0;

  /// Whether the bits of a row's results depend neither on the other rows of its batch nor on padding.
  virtual bool isBatchInvariant() const { return false; }

  /// V. Callers check selected tokens against it.
  virtual std::int64_t vocabSize() const = 0;

  // Of an encoder alone, the methods below except `encode` throw ERR_INVALID_ARGUMENT.

  /// The whole model. `inputIds`, `attentionMask`: [B, S]; `decoderInputIds`: [B, T].
  virtual ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask,
                                const at::Tensor& decoderInputIds, const LogitsSelection& selection) = 0;

  /// The encoder. Returns its last hidden state [B, S, D].
  virtual at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) = 0;

  /// The decoder on a prefix. Returns a new cache. `decoderInputIds`: [R, T].
  virtual DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                                const LogitsSelection& selection) = 0;

  /// The decoder on one more token per row, with the cache of `prefill` or of another step. If the caller holds the
  /// only reference to the cache (its use count is 1), the engine may reuse its memory. If the step throws, the cache
  /// is unchanged. `decoderInputIds`: [R, 1].
  virtual DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                             const LogitsSelection& selection) = 0;

  /// Continues a greedy search to its end, without the host between two steps: the ids that it adds, int64 [R, n] on
  /// the device, where n <= maxTokens. None if the engine gains nothing by it; then the caller goes on step by step.
  virtual std::optional<at::Tensor> decodeGreedily(const GreedyRequest&) { return std::nullopt; }

  /// Bytes of the caches of a generation, 0 if the engine does not count them. May be called on any thread.
  virtual std::int64_t cacheBytes(const CacheSize&) const { return 0; }

  /// Whether `runTogether` runs several calls in one pass.
  virtual bool mergesCalls() const { return false; }

  /// Whether `runTogether` runs greedy searches of so many rows step by step, beside those of other calls.
  virtual bool sharesGreedySearches(std::int64_t /*rows*/) const { return false; }

  /// Runs several calls in one pass: each has the result and the error that it has alone, where the engine is not batch
  /// invariant up to rounding. A shared greedy search moves on by a few steps, and has no result before the last pass.
  /// Only for an engine that merges calls. Throws what fails the whole pass, for instance ERR_ABORTED; then no call has
  /// a result, and the calls may be run again.
  virtual void runTogether(std::span<EngineCall* const> calls);

  /// The logits of a classifier's L labels: [B, L] of texts, [B, S, L] of tokens. `sentence`: undefined tensors for a
  /// classifier of tokens. Of any other model it throws ERR_INVALID_ARGUMENT.
  virtual at::Tensor classify(const at::Tensor& inputIds, const at::Tensor& attentionMask, const Sentence& sentence);
};

}  // namespace torch_t5
