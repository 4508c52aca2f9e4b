// The abstract engine: T5's four methods on tensors. What stands behind it (a TorchScript archive, fused kernels) is
// nobody else's business.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace torch_t5 {

/// float32 tensors on the engine's device. B batch, S source length, T target length, D d_model, V vocabulary.
struct ForwardOutput {
  at::Tensor logits;                  // [B, T, V]
  at::Tensor encoderLastHiddenState;  // [B, S, D]
  at::Tensor decoderLastHiddenState;  // [B, T, D], after the final norm, before the tied embedding's scaling
};

struct DecoderOutput {
  at::Tensor logits;                  // [B, T, V]
  at::Tensor decoderLastHiddenState;  // [B, T, D]
  std::vector<at::Tensor> past;  // per layer: self key, self value, cross key, cross value; [B, heads, length, d_kv]
};

/// All ids and masks are int64 on the engine's device. An engine is used by one thread at a time.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual at::Device device() const = 0;

  /// inputIds and attentionMask [B, S], decoderInputIds [B, T].
  virtual ForwardOutput forward(const at::Tensor& inputIds, const at::Tensor& attentionMask,
                                const at::Tensor& decoderInputIds) = 0;

  /// Returns the encoder's last hidden state [B, S, D].
  virtual at::Tensor encode(const at::Tensor& inputIds, const at::Tensor& attentionMask) = 0;

  /// The decoder over a prefix [B, T], filling the cache.
  virtual DecoderOutput prefill(const at::Tensor& decoderInputIds, const at::Tensor& encoderLastHiddenState,
                                const at::Tensor& attentionMask) = 0;

  /// One more token per row [B, 1], over the cache that prefill or another step gave.
  virtual DecoderOutput step(const at::Tensor& decoderInputIds, const at::Tensor& attentionMask,
                             const std::vector<at::Tensor>& past) = 0;
};

}  // namespace torch_t5
