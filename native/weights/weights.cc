#include "weights/weights.h"

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/errors.h"
#include "weights/archive.h"

namespace torch_t5 {
namespace {

/// A weight in memory or in a file.
class NamedWeight {
 public:
  explicit NamedWeight(at::Tensor tensor) : tensor_(tensor.to(at::kFloat).contiguous()) {}
  explicit NamedWeight(StoredNumbers stored) : stored_(std::move(stored)) {}

  at::IntArrayRef sizes() const { return tensor_.defined() ? tensor_.sizes() : at::IntArrayRef(stored_.sizes()); }
  at::Tensor tensor() const { return tensor_.defined() ? tensor_ : stored_.toTensor(); }
  WeightMatrix matrix() const { return tensor_.defined() ? WeightMatrix(tensor_) : WeightMatrix(stored_); }

 private:
  at::Tensor tensor_;
  StoredNumbers stored_;
};

using NamedWeights = std::unordered_map<std::string, NamedWeight>;

/// Where weights come from, for their names and for messages.
struct Source {
  std::string file;
  std::string prefix;      // of the names of the weights that every T5 has
  std::string headPrefix;  // of the names of a classifier's head
};

class WeightReader {
 public:
  WeightReader(NamedWeights weights, const Architecture& architecture, Source source)
      : architecture_(architecture),
        source_(std::move(source)),
        innerDim_(architecture.numHeads * architecture.dKv),
        weights_(std::move(weights)) {}

  Weights read(ModelKind kind) {
    switch (kind) {
      case ModelKind::kEncoder:
        return readEncoder();
      case ModelKind::kSequenceClassification:
        return readSequenceClassifier();
      case ModelKind::kTokenClassification:
        return readTokenClassifier();
      case ModelKind::kGeneration:
        break;
    }
    return readGeneration();
  }

 private:
  Weights readGeneration() {
    Weights weights;
    readStacks(weights);
    const std::string name = source_.prefix + "lm_head.weight";
    weights.lmHead = has(name) ? takeMatrix(name, tableSizes()) : weights.embedding;
    if (weights.lmHead.equals(weights.embedding)) weights.lmHead = weights.embedding;
    expectNoMore();
    return weights;
  }

  Weights readEncoder() {
    Weights weights;
    readEncoder(weights);
    std::erase_if(weights_, [this](const auto& left) {
      return left.first.starts_with(source_.prefix + "decoder.") || left.first.starts_with(source_.prefix + "lm_head.");
    });
    expectNoMore();
    return weights;
  }

  Weights readSequenceClassifier() {
    Weights weights;
    readStacks(weights);
    weights.classifier = {takeLinear("classification_head.dense."), takeLinear("classification_head.out_proj.")};
    expectNoMore();
    return weights;
  }

  Weights readTokenClassifier() {
    Weights weights;
    readEncoder(weights);
    weights.classifier = {takeLinear("classifier.")};
    expectNoMore();
    return weights;
  }

  void readStacks(Weights& weights) {
    weights.embedding = takeMatrix(source_.prefix + "shared.weight", tableSizes());
    weights.encoder = readStack("encoder.", architecture_.numLayers, /*isDecoder=*/false);
    weights.decoder = readStack("decoder.", architecture_.numDecoderLayers, /*isDecoder=*/true);
    // Both stacks may contain the embedding as well.
    for (const char* stack : {"encoder.", "decoder."}) {
      const std::string name = source_.prefix + stack + "embed_tokens.weight";
      if (!has(name) || takeMatrix(name, tableSizes()).equals(weights.embedding)) continue;
      throw Error(ErrorCode::kModelCorrupt, "Expected the matrix of shared.weight for " + name + " in " + source_.file +
                                                " but received another one, which only \"exact\" computes with");
    }
  }

  void readEncoder(Weights& weights) {
    // A checkpoint may have another matrix as the encoder's own embedding. Hugging Face's encoder reads that one.
    weights.embedding = takeMatrix(source_.prefix + "encoder.embed_tokens.weight", tableSizes());
    weights.encoder = readStack("encoder.", architecture_.numLayers, /*isDecoder=*/false);
    weights_.erase(source_.prefix + "shared.weight");
  }

  /// A layer with dModel inputs and as many outputs as its matrix has rows.
  LinearWeights takeLinear(const std::string& layer) {
    const std::string name = source_.headPrefix + layer;
    const auto found = weights_.find(name + "weight");
    const bool isMatrix = found != weights_.end() && found->second.sizes().size() == 2;
    const std::int64_t outputs = isMatrix ? found->second.sizes().front() : 1;
    return {take(name + "weight", {outputs, architecture_.dModel}), take(name + "bias", {outputs})};
  }

  /// Throws ERR_MODEL_CORRUPT if a weight was not taken.
  void expectNoMore() const {
    if (weights_.empty()) return;
    throw Error(ErrorCode::kModelCorrupt, "Expected only weights of the architecture in config.json for " +
                                              source_.file + " but received " + weights_.begin()->first);
  }

  bool has(const std::string& name) const { return weights_.contains(name); }

  std::vector<std::int64_t> tableSizes() const { return {architecture_.vocabSize, architecture_.dModel}; }

  at::Tensor take(const std::string& name, at::IntArrayRef sizes) { return takeWeight(name, sizes).tensor(); }
  WeightMatrix takeMatrix(const std::string& name, at::IntArrayRef sizes) { return takeWeight(name, sizes).matrix(); }

  /// Removes the weight from `weights_`, so that unused weights remain at the end.
  NamedWeight takeWeight(const std::string& name, at::IntArrayRef sizes) {
    const auto found = weights_.find(name);
    if (found == weights_.end()) {
      throw Error(ErrorCode::kModelCorrupt,
                  "Expected the weight " + name + " in " + source_.file + " but received none");
    }
    if (found->second.sizes() != sizes) {
      throw Error(ErrorCode::kModelCorrupt, "Expected the shape " + c10::str(sizes) + " for the weight " + name +
                                                " but received " + c10::str(found->second.sizes()));
    }
    return std::move(weights_.extract(found).mapped());
  }

  StackWeights readStack(const char* name, std::int64_t layers, bool isDecoder) {
    const std::string prefix = source_.prefix + name;
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
    weights.query = takeMatrix(prefix + "q.weight", {innerDim_, architecture_.dModel});
    weights.key = takeMatrix(prefix + "k.weight", {innerDim_, architecture_.dModel});
    weights.value = takeMatrix(prefix + "v.weight", {innerDim_, architecture_.dModel});
    weights.output = takeMatrix(prefix + "o.weight", {architecture_.dModel, innerDim_});
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
    weights.gate = takeMatrix(prefix + (architecture_.isGated ? "wi_0.weight" : "wi.weight"),
                              {architecture_.dFf, architecture_.dModel});
    if (architecture_.isGated)
      weights.up = takeMatrix(prefix + "wi_1.weight", {architecture_.dFf, architecture_.dModel});
    weights.output = takeMatrix(prefix + "wo.weight", {architecture_.dModel, architecture_.dFf});
    return weights;
  }

  const Architecture& architecture_;
  Source source_;
  std::int64_t innerDim_;  // the outputs of q, k and v: numHeads * dKv
  NamedWeights weights_;
};

}  // namespace

Weights readWeights(const std::string& path, const Architecture& architecture, ModelKind kind) {
  NamedWeights weights;
  for (ArchivedWeight& weight : readArchivedWeights(path)) {
    weights.emplace(weight.name, weight.tensor.defined() ? NamedWeight(std::move(weight.tensor))
                                                         : NamedWeight(std::move(weight.stored)));
  }
  const bool isClassifier = kind == ModelKind::kSequenceClassification || kind == ModelKind::kTokenClassification;
  return WeightReader(std::move(weights), architecture,
                      {"model.pt", isClassifier ? "model.transformer." : "model.", "model."})
      .read(kind);
}

Weights readWeights(const StoredWeights& stored, const Architecture& architecture, ModelKind kind) {
  std::vector<std::shared_ptr<const WeightFile>> files;
  for (const StoredFile& file : stored.files) files.push_back(std::make_shared<const WeightFile>(file));
  NamedWeights weights;
  for (const StoredTensor& tensor : stored.tensors)
    weights.emplace(tensor.name, NamedWeight(StoredNumbers(files.at(tensor.file), tensor)));
  return WeightReader(std::move(weights), architecture, {"model.safetensors", "", ""}).read(kind);
}

}  // namespace torch_t5
