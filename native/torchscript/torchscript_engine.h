// The TorchScript engine: Hugging Face's own modules, traced, in libtorch's interpreter. Its precision is "exact".
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/requests.h"
#include "engine/engine.h"

namespace torch_t5 {

/// The tensors that the archive's methods `prefill` and `step` return and take.
class TorchScriptCache final : public DecoderCache {
 public:
  TorchScriptCache(std::vector<at::Tensor> past, at::Tensor attentionMask)
      : past_(std::move(past)), attentionMask_(std::move(attentionMask)) {}

  std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const override;

  /// For each layer: self key, self value, cross key, cross value; [R, heads, length, d_kv].
  const std::vector<at::Tensor>& past() const { return past_; }

  /// The source's mask of each decoded row: [R, S] int64.
  const at::Tensor& attentionMask() const { return attentionMask_; }

 private:
  std::vector<at::Tensor> past_;
  at::Tensor attentionMask_;
};

/// The paths of the archives whose methods return outputs of layers. Empty: the export has none.
struct LayerArchives {
  std::string hiddenStates;
  std::string attentions;
};

/// Loads the archive to `device`. Call it in inference mode. Throws what `readArchive` and the device throw. The
/// archives of `layers` are read at their first use, so a pass that selects outputs of layers throws what
/// `readLayerArchive` throws, and ERR_INVALID_ARGUMENT if the export has no such archive.
std::unique_ptr<Engine> loadTorchScriptEngine(const std::string& path, ModelKind kind, const at::Device& device,
                                              LayerArchives layers = {});

}  // namespace torch_t5
