// Requests from JavaScript: plain structs that own their data, so that only JavaScript's thread touches JavaScript
// values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torch_t5 {

/// The numbers that a model computes with. kExact runs the exported archive, the others the fused engine on the CPU and
/// the ATen engine on CUDA.
enum class Precision { kExact, kFloat32, kBfloat16, kInt8 };

/// What a model computes, by the class that loads it. An encoder is loaded from its own archive, or from that of a
/// model with a decoder. A classifier of texts has a decoder, a classifier of tokens has none.
enum class ModelKind { kGeneration, kEncoder, kSequenceClassification, kTokenClassification };

/// The activation of the feed-forward layers: kGelu is exact, kGeluNew its tanh approximation.
enum class Activation { kRelu, kGeluNew, kGelu, kSilu };

/// A model's architecture, from its config.json. The TorchScript engine does not need it: the archive contains it.
struct Architecture {
  std::int64_t dModel = 0;
  std::int64_t dKv = 0;
  std::int64_t dFf = 0;
  std::int64_t numLayers = 0;
  std::int64_t numDecoderLayers = 0;
  std::int64_t numHeads = 0;
  std::int64_t vocabSize = 0;
  std::int64_t relativeAttentionNumBuckets = 0;
  std::int64_t relativeAttentionMaxDistance = 0;  // larger distances share one bucket
  double layerNormEpsilon = 0;
  Activation activation = Activation::kRelu;
  bool isGated = false;               // wi_0 and wi_1 instead of wi
  bool hasBiasPerLayer = false;       // UMT5: each layer has its own relative attention bias
  bool scalesDecoderOutputs = false;  // by dModel ** -0.5, before lm_head
};

/// The type of a tensor's elements in a file.
enum class StoredType { kFloat32, kBfloat16, kFloat16 };

struct StoredFile {
  std::string path;
  std::uint64_t bytes = 0;  // its size when its header was read
};

/// Where a tensor is in a file.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::kFloat32;
  std::vector<std::int64_t> sizes;
  std::size_t file = 0;      // its index
  std::uint64_t offset = 0;  // of its first byte
};

/// The tensors of safetensors files, from their headers.
struct StoredWeights {
  std::vector<StoredFile> files;
  std::vector<StoredTensor> tensors;
};

struct LoadOptions {
  std::string path;                            // of the TorchScript archive; empty with stored weights
  std::optional<StoredWeights> storedWeights;  // read instead of an archive; none for kExact
  ModelKind kind = ModelKind::kGeneration;
  std::string hiddenStatesPath;     // of the archive for outputHiddenStates; empty: the export has none
  std::string attentionsPath;       // of the archive for outputAttentions; empty: the export has none
  std::string device;               // "auto", "cpu", "cuda" or "cuda:N"
  std::string libtorchDirectory;    // contains libtorch_cuda, which is opened only for a CUDA device
  int intraOpThreads = 0;           // 0: PyTorch's default
  int interOpThreads = 0;           // 0: PyTorch's default
  std::optional<bool> batching;     // whether calls share passes; none: where that changes no bits
  std::size_t maxQueueLength = 0;   // waiting calls, those that run not counted; 0: no limit
  std::int64_t maxBatchSize = 0;    // rows in a step
  std::int64_t maxBatchTokens = 0;  // encoder and prefill positions in a pass
  std::int64_t maxCacheBytes = 0;   // of the KV caches of running generations
  Precision precision = Precision::kExact;
  Architecture architecture;  // unused for kExact
};

/// The part of the outputs that a call returns. Applied in this order: positions, tokens, topK.
struct Selection {
  std::optional<std::vector<std::int32_t>> positions;  // decoder positions, 0-based, any order; none: all
  std::optional<std::vector<std::int32_t>> tokens;     // vocabulary ids, any order; none: all
  std::int64_t topK = 0;                               // 0: off
  bool hiddenStates = false;                           // the last ones
  bool outputHiddenStates = false;                     // those of every layer
  bool outputAttentions = false;                       // of every layer
};

/// The encoder's input.
struct SourceIds {
  std::int64_t batch = 0;
  std::int64_t length = 0;
  std::vector<std::int32_t> inputIds;                      // [batch, length]
  std::optional<std::vector<std::int32_t>> attentionMask;  // [batch, length]; none: all ones
};

struct ForwardRequest {
  SourceIds source;
  std::int64_t targetLength = 0;
  std::vector<std::int32_t> decoderInputIds;        // [batch, targetLength]
  std::optional<std::vector<std::int32_t>> labels;  // [batch, targetLength]; the loss ignores -100
  bool loss = false;                                // requires labels
  Selection selection;
};

struct ClassifyRequest {
  SourceIds source;
  // For a classifier of texts, else none: the source's ids, shifted, [batch, length], and for each row the position
  // whose state stands for it.
  std::optional<std::vector<std::int32_t>> decoderInputIds;
  std::optional<std::vector<std::int32_t>> positions;
};

/// The next positions of a decoder that has a cache.
struct DecodeRequest {
  std::optional<std::vector<std::int32_t>> rows;  // cache rows to continue from, one per decoded row; none: all rows
  std::int64_t batch = 0;
  std::int64_t targetLength = 0;
  std::vector<std::int32_t> decoderInputIds;  // [batch, targetLength]
  Selection selection;
};

/// Targets to compute log-probabilities for.
struct ScoreRequest {
  std::vector<std::int32_t> targetIds;      // the ids of all targets, concatenated
  std::vector<std::int32_t> targetLengths;  // the length of each target
  std::int64_t decoderStartTokenId = 0;
  std::int64_t padTokenId = 0;
  std::int64_t batchSize = 0;  // targets per decoder pass
  bool mean = false;           // scores are means instead of sums
};

/// How the encoder's hidden states become one vector per row: kFirst is the state at the first position, the others are
/// those of sentence-transformers over the positions that the mask keeps.
enum class PoolingMode { kMean, kFirst, kCls, kMax, kMeanSqrtLength, kWeightedMean, kLastToken };

struct Pooling {
  std::vector<PoolingMode> modes;  // at least one; the vectors of several are concatenated
  std::int64_t promptLength = 0;   // the first positions that the mask keeps and the pooling excludes
};

/// The activation of a dense layer after the pooling. kGelu is exact.
enum class DenseActivation { kIdentity, kTanh, kRelu, kGelu, kSilu, kSigmoid };

struct DenseWeights {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::vector<float> weight;               // [outputs, inputs]
  std::optional<std::vector<float>> bias;  // [outputs]
  DenseActivation activation = DenseActivation::kIdentity;
};

/// Each request is checked once, when it is made from JavaScript's objects. These throw ERR_INVALID_ARGUMENT for array
/// lengths that do not match, for sizes that are not positive, and for positions outside the target. The checks that
/// need the model or an encoder output are made where those are used: `toLogitsSelection` (tokens), `reduce` (topK),
/// `decode` and `runScore` (the number of rows).
void check(const SourceIds& source);
/// The request's source has passed its own check.
void check(const ForwardRequest& request);
/// The request's source has passed its own check.
void check(const ClassifyRequest& request);
void check(const DecodeRequest& request);
void check(const ScoreRequest& request);
void check(const DenseWeights& weights);

/// Throws ERR_INVALID_ARGUMENT for an array `name` whose length is not rows x columns.
void expectCount(const char* name, std::size_t received, std::int64_t rows, std::int64_t columns);

}  // namespace torch_t5
