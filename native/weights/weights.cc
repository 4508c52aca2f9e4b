#include "weights/weights.h"

#include <unordered_map>
#include <utility>

#include "core/errors.h"
#include "weights/archive.h"

namespace torch_t5 {
namespace {

class WeightReader {
 public:
  WeightReader(const torch::jit::Module& module, const Architecture& architecture, const char* prefix)
      : architecture_(architecture), prefix_(prefix), innerDim_(architecture.numHeads * architecture.dKv) {
    for (const auto& parameter : module.named_parameters()) weights_.emplace(parameter.name, parameter.value);
  }

  Weights readGeneration() {
    Weights weights;
    const std::vector<std::int64_t> table{architecture_.vocabSize, architecture_.dModel};
    weights.embedding = take(prefix_ + "shared.weight", table);
    weights.lmHead = has(prefix_ + "lm_head.weight") ? take(prefix_ + "lm_head.weight", table) : weights.embedding;
    readStacks(weights);
    expectNoMore();
    return weights;
  }

  Weights readEncoder() {
    Weights weights;
    readEncoder(weights);
    std::erase_if(weights_, [this](const auto& left) {
      return left.first.starts_with(prefix_ + "decoder.") || left.first.starts_with(prefix_ + "lm_head.");
    });
    expectNoMore();
    return weights;
  }

  Weights readSequenceClassifier() {
    Weights weights;
    weights.embedding = take(prefix_ + "shared.weight", {architecture_.vocabSize, architecture_.dModel});
    readStacks(weights);
    weights.classifier = {takeLinear("model.classification_head.dense."),
                          takeLinear("model.classification_head.out_proj.")};
    expectNoMore();
    return weights;
  }

  Weights readTokenClassifier() {
    Weights weights;
    readEncoder(weights);
    weights.classifier = {takeLinear("model.classifier.")};
    expectNoMore();
    return weights;
  }

 private:
  void readStacks(Weights& weights) {
    weights.encoder = readStack(prefix_ + "encoder.", architecture_.numLayers, /*isDecoder=*/false);
    weights.decoder = readStack(prefix_ + "decoder.", architecture_.numDecoderLayers, /*isDecoder=*/true);
    // Both stacks contain the embedding as well.
    std::erase_if(weights_,
                  [&](const auto& left) { return left.second.const_data_ptr() == weights.embedding.const_data_ptr(); });
  }

  void readEncoder(Weights& weights) {
    // A checkpoint may have another matrix as the encoder's own embedding. Hugging Face's encoder reads that one.
    weights.embedding = take(prefix_ + "encoder.embed_tokens.weight", {architecture_.vocabSize, architecture_.dModel});
    weights.encoder = readStack(prefix_ + "encoder.", architecture_.numLayers, /*isDecoder=*/false);
    weights_.erase(prefix_ + "shared.weight");
  }

  /// A layer with dModel inputs and as many outputs as its matrix has rows.
  LinearWeights takeLinear(const std::string& name) {
    const auto found = weights_.find(name + "weight");
    const std::int64_t outputs = found != weights_.end() && found->second.dim() == 2 ? found->second.size(0) : 1;
    return {take(name + "weight", {outputs, architecture_.dModel}), take(name + "bias", {outputs})};
  }

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
  std::string prefix_;     // of the names of the weights that every T5 has
  std::int64_t innerDim_;  // the outputs of q, k and v: numHeads * dKv
  std::unordered_map<std::string, at::Tensor> weights_;
};

}  // namespace

Weights readWeights(const std::string& path, const Architecture& architecture, ModelKind kind) {
  const torch::jit::Module module = readArchive(path, kind);
  switch (kind) {
    case ModelKind::kEncoder:
      return WeightReader(module, architecture, "model.").readEncoder();
    case ModelKind::kSequenceClassification:
      return WeightReader(module, architecture, "model.transformer.").readSequenceClassifier();
    case ModelKind::kTokenClassification:
      return WeightReader(module, architecture, "model.transformer.").readTokenClassifier();
    case ModelKind::kGeneration:
      break;
  }
  return WeightReader(module, architecture, "model.").readGeneration();
}

}  // namespace torch_t5
