// What crosses from JavaScript to the engine: plain structs that own their data, so that no thread but JavaScript's
// ever touches a JavaScript value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torch_t5 {

/// How a model computes: as the exported archive does, or by the fused engine in one of its number formats.
enum class Precision { kExact, kFloat32, kBfloat16, kInt8 };

/// What a feed-forward layer applies between its products; kGelu is the exact one, kGeluNew its tanh approximation.
enum class Activation { kRelu, kGeluNew, kGelu, kSilu };

/// What a model's configuration says of its shape. The fused engine builds on it; the archive knows it by itself.
struct Architecture {
  std::int64_t dModel = 0;
  std::int64_t dKv = 0;
  std::int64_t dFf = 0;
  std::int64_t numLayers = 0;
  std::int64_t numDecoderLayers = 0;
  std::int64_t numHeads = 0;
  std::int64_t vocabSize = 0;
  std::int64_t numBuckets = 0;   // of relative positions
  std::int64_t maxDistance = 0;  // beyond which relative positions share a bucket
  double layerNormEpsilon = 0;
  Activation activation = Activation::kRelu;
  bool isGated = false;               // wi_0 and wi_1 instead of wi
  bool hasBiasPerLayer = false;       // UMT5: every layer has a relative attention bias of its own
  bool scalesDecoderOutputs = false;  // by dModel ** -0.5, before lm_head
};

struct LoadOptions {
  std::string path;                // of the TorchScript archive
  std::string device;              // "auto", "cpu", "cuda" or "cuda:N"
  std::string libtorchDirectory;   // where libtorch_cuda lies, opened only when a CUDA device is wanted
  int intraOpThreads = 0;          // 0: PyTorch's default
  int interOpThreads = 0;          // 0: PyTorch's default
  std::size_t maxQueueLength = 0;  // waiting calls, the running one not counted; 0: no limit
  Precision precision = Precision::kExact;
  Architecture architecture;  // as it is above where precision is kExact
};

/// Which part of the outputs is wanted. Applied in this order: positions, tokens, topK.
struct Selection {
  std::optional<std::vector<std::int32_t>> positions;  // decoder positions, 0-based, any order
  std::optional<std::vector<std::int32_t>> tokens;     // vocabulary ids, any order
  std::int64_t topK = 0;                               // 0: off
  bool hiddenStates = false;
};

/// What the encoder reads.
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
  std::optional<std::vector<std::int32_t>> labels;  // [batch, targetLength]; -100 is ignored by the loss
  bool loss = false;                                // needs labels
  Selection selection;
};

/// More positions for a decoder that has a cache.
struct DecodeRequest {
  std::optional<std::vector<std::int32_t>> rows;  // of the cache, to go on from; none: as they are
  std::int64_t batch = 0;
  std::int64_t targetLength = 0;
  std::vector<std::int32_t> decoderInputIds;  // [batch, targetLength]
  Selection selection;
};

/// Targets whose log-probabilities are wanted.
struct ScoreRequest {
  std::vector<std::int32_t> targetIds;      // of all targets, one after the other
  std::vector<std::int32_t> targetLengths;  // of each target
  std::int64_t decoderStartTokenId = 0;
  std::int64_t padTokenId = 0;
  std::int64_t batchSize = 0;  // how many targets go through the decoder at once
  bool mean = false;           // scores are means instead of sums
};

/// How hidden states become one vector a row.
struct Pooling {
  bool first = false;      // the first position's, instead of the mean over what the mask keeps
  bool normalize = false;  // to length 1
};

/// Throw ERR_INVALID_ARGUMENT where a wrong length or position would read outside an array.
void check(const SourceIds& source);
void check(const ForwardRequest& request);
void check(const DecodeRequest& request);
void check(const ScoreRequest& request);

}  // namespace torch_t5
