// The abstract engine: T5's four methods on tensors. What stands behind it (a TorchScript archive, fused kernels) is
// nobody else's business.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace torch_t5 {

// float32 tensors on the engine's device, ids and masks int64. B batch, S source length, T target length, D d_model, V
// vocabulary.

/// What the encoder gives, kept on the device: B rows of S positions. Its tensors are never written to, so that many
/// may share them.
struct EncoderOutput {
  at::Tensor inputIds;         // [B, S]
  at::Tensor attentionMask;    // [B, S]
  at::Tensor lastHiddenState;  // [B, S, D]

  std::int64_t batch() const { return lastHiddenState.size(0); }
};

/// Which rows of an encoder's output a decoder reads. Beams, and targets that are scored, share one.
struct DecoderSource {
  std::shared_ptr<const EncoderOutput> encoderOutput;
  at::Tensor rows;  // int64 [R] on the device: decoded row i reads row rows[i]; undefined: row i reads row i

  /// R, the rows that are decoded.
  std::int64_t batch() const { return rows.defined() ? rows.size(0) : encoderOutput->batch(); }

  /// Row i of the result reads what row `rows[i]` reads; `rows` is int64 on the same device. libtorch throws for a row
  /// that isn't there.
  DecoderSource select(const at::Tensor& rows) const;
};

/// Every row `count` times, one after the other: Hugging Face's `_expand_inputs_for_generation`.
DecoderSource repeatRows(std::shared_ptr<const EncoderOutput> encoderOutput, std::int64_t count);

/// Which logits a pass computes, P of the T positions and K of the V tokens. Whoever asks has checked that they are
/// there. Undefined tensors: all.
struct LogitsSelection {
  bool any = true;       // false: none; the output's logits are undefined then
  at::Tensor positions;  // int64 [P] on the device, any order
  at::Tensor tokens;     // int64 [K] on the device, any order
};

struct ForwardOutput {
  at::Tensor logits;                  // [B, P, K]
  at::Tensor encoderLastHiddenState;  // [B, S, D]
  at::Tensor decoderLastHiddenState;  // [B, T, D], after the final norm, before the tied embedding's scaling
};

/// What a decoder remembers: keys and values of every layer, as the engine keeps them. To its holders it is immutable:
/// a step gives a new one. Only the engine that gave it uses it, on that engine's thread; it may be freed on another,
/// after the engine.
class DecoderCache {
 public:
  DecoderCache() = default;
  DecoderCache(const DecoderCache&) = delete;
  DecoderCache& operator=(const DecoderCache&) = delete;
  virtual ~DecoderCache() = default;

  /// Row i of the result goes on from row `rows[i]`, int64 on the device: Hugging Face's `reorder_cache`.
  virtual std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const = 0;
};

struct DecoderOutput {
  at::Tensor logits;                  // [R, P, K]
  at::Tensor decoderLastHiddenState;  // [R, T, D]
  std::shared_ptr<const DecoderCache> cache;
};

/// An engine is used by one thread at a time. Hidden states are always given, logits as wanted.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual at::Device device() const = 0;

  /// V: wanted tokens are checked against it before a pass.
  virtual std::int64_t vocabSize() const = 0;

  /// inputIds and attentionMask [B, S], decoderInputIds [B, T].
  virtual ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask,
                                const at::Tensor& decoderInputIds, const LogitsSelection& wanted) = 0;

  /// Returns the encoder's last hidden state [B, S, D].
  virtual at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) = 0;

  /// The decoder over a prefix [R, T], filling the cache.
  virtual DecoderOutput prefill(const at::Tensor& decoderInputIds, const DecoderSource& source,
                                const LogitsSelection& wanted) = 0;

  /// One more token per row [R, 1], over the cache that prefill or another step gave. Where nobody but the caller holds
  /// it (its use count is 1) an engine may take over what it consists of; where the step throws, it is as it was.
  virtual DecoderOutput step(const at::Tensor& decoderInputIds, const std::shared_ptr<const DecoderCache>& cache,
                             const LogitsSelection& wanted) = 0;
};

}  // namespace torch_t5
