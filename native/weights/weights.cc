#include "weights/weights.h"

#include <unordered_map>
#include <utility>

#include "core/errors.h"
#include "weights/archive.h"

namespace torch_t5 {
namespace {

class WeightReader {
 public:
  WeightReader(const torch::jit::Module& module, const Architecture& architecture)
      : architecture_(architecture), innerDim_(architecture.numHeads * architecture.dKv) {
    for (const auto& parameter : module.named_parameters()) weights_.emplace(parameter.name, parameter.value);
  }

  Weights readGeneration() {
    Weights weights;
    const std::vector<std::int64_t> table{architecture_.vocabSize, architecture_.dModel};
    weights.embedding = take("model.shared.weight", table);
    weights.lmHead = has("model.lm_head.weight") ? take("model.lm_head.weight", table) : weights.embedding;
    weights.encoder = readStack("model.encoder.", architecture_.numLayers, /*isDecoder=*/false);
    weights.decoder = readStack("model.decoder.", architecture_.numDecoderLayers, /*isDecoder=*/true);
    // Both stacks contain the embedding as well.
    std::erase_if(weights_,
                  [&](const auto& left) { return left.second.const_data_ptr() == weights.embedding.const_data_ptr(); });
    expectNoMore();
    return weights;
  }

  Weights readEncoder() {
    Weights weights;
    // A checkpoint may have another matrix as the encoder's own embedding. Hugging Face's encoder reads that one.
    weights.embedding = take("model.encoder.embed_tokens.weight", {architecture_.vocabSize, architecture_.dModel});
    weights.encoder = readStack("model.encoder.", architecture_.numLayers, /*isDecoder=*/false);
    std::erase_if(weights_, [](const auto& left) {
      return left.first == "model.shared.weight" || left.first.starts_with("model.decoder.") ||
             left.first.starts_with("model.lm_head.");
    });
    expectNoMore();
    return weights;
  }

 private:
  /// Throws ERR_MODEL_CORRUPT if a weight was not taken.
  void expectNoMore() const {
    if (weights_.empty()) return;
    throw Error(ErrorCode::kModelCorrupt,
                "Expected only weights of the architecture in config.json for model.pt but received " +
                    weights_.begin()->first);
  }

  bool has(const std::string& name) const { return weights_.contains(name); }

  /// Removes the weight from `weights_`, so that unused weights remain at the end.
  at::Tensor take(const std::string& name, at::IntArrayRef shape) {
    const auto found = weights_.find(name);
    if (found == weights_.end())
      throw Error(ErrorCode::kModelCorrupt, "Expected the weight " + name + " in model.pt but received none");
    if (found->second.sizes() != shape) {
      throw Error(ErrorCode::kModelCorrupt, "Expected the shape " + c10::str(shape) + " for the weight " + name +
                                                " but received " + c10::str(found->second.sizes()));
    }
    const at::Tensor weight = found->second.to(at::kFloat).contiguous();
    weights_.erase(found);
    return weight;
  }

  StackWeights readStack(const std::string& prefix, std::int64_t layers, bool isDecoder) {
    StackWeights stack;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      const std::string block = prefix + "block." + std::to_string(layer) + ".layer.";
      LayerWeights& weights = stack.layers.emplace_back();
      const bool hasBias = layer == 0 || architecture_.hasBiasPerLayer;
      weights.self = readAttention(block + "0.", "SelfAttention.", hasBias);
      if (isDecoder) weights.cross = readAttention(block + "1.", "EncDecAttention.", /*hasBias=*/false);
      weights.feedForward = readFeedForward(block + (isDecoder ? "2." : "1."));
    }
    stack.norm = take(prefix + "final_layer_norm.weight", {architecture_.dModel});
    return stack;
  }

  AttentionWeights readAttention(const std::string& layer, const std::string& module, bool hasBias) {
    const std::string prefix = layer + module;
    AttentionWeights weights;
    weights.norm = take(layer + "layer_norm.weight", {architecture_.dModel});
    weights.query = take(prefix + "q.weight", {innerDim_, architecture_.dModel});
    weights.key = take(prefix + "k.weight", {innerDim_, architecture_.dModel});
    weights.value = take(prefix + "v.weight", {innerDim_, architecture_.dModel});
    weights.output = take(prefix + "o.weight", {architecture_.dModel, innerDim_});
    if (hasBias) {
      weights.bias = take(prefix + "relative_attention_bias.weight",
                          {architecture_.relativeAttentionNumBuckets, architecture_.numHeads});
    }
    return weights;
  }

  FeedForwardWeights readFeedForward(const std::string& layer) {
    const std::string prefix = layer + "DenseReluDense.";
    FeedForwardWeights weights;
    weights.norm = take(layer + "layer_norm.weight", {architecture_.dModel});
    weights.gate =
        take(prefix + (architecture_.isGated ? "wi_0.weight" : "wi.weight"), {architecture_.dFf, architecture_.dModel});
    if (architecture_.isGated) weights.up = take(prefix + "wi_1.weight", {architecture_.dFf, architecture_.dModel});
    weights.output = take(prefix + "wo.weight", {architecture_.dModel, architecture_.dFf});
    return weights;
  }

  const Architecture& architecture_;
  std::int64_t innerDim_;  // the outputs of q, k and v: numHeads * dKv
  std::unordered_map<std::string, at::Tensor> weights_;
};

}  // namespace

Weights readWeights(const std::string& path, const Architecture& architecture, ModelKind kind) {
  WeightReader reader(readArchive(path, kind), architecture);
  return kind == ModelKind::kEncoder ? reader.readEncoder() : reader.readGeneration();
}

}  // namespace torch_t5
