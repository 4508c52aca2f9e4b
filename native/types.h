// What crosses from JavaScript to the engine: plain structs that own their data, so that no thread but JavaScript's
// ever touches a JavaScript value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torch_t5 {

struct LoadOptions {
  std::string path;                // of the TorchScript archive
  std::string device;              // "auto", "cpu", "cuda" or "cuda:N"
  std::string libtorchDirectory;   // where libtorch_cuda lies, opened only when a CUDA device is wanted
  int intraOpThreads = 0;          // 0: PyTorch's default
  int interOpThreads = 0;          // 0: PyTorch's default
  std::size_t maxQueueLength = 0;  // waiting calls, the running one not counted; 0: no limit
};

/// Which part of the outputs is wanted. Applied in this order: positions, tokens, topK.
struct Selection {
  std::optional<std::vector<std::int32_t>> positions;  // decoder positions, 0-based, any order
  std::optional<std::vector<std::int32_t>> tokens;     // vocabulary ids, any order
  std::int64_t topK = 0;                               // 0: off
  bool hiddenStates = false;
};

struct ForwardRequest {
  std::int64_t batch = 0;
  std::int64_t sourceLength = 0;
  std::int64_t targetLength = 0;
  std::vector<std::int32_t> inputIds;                      // [batch, sourceLength]
  std::optional<std::vector<std::int32_t>> attentionMask;  // [batch, sourceLength]; none: all ones
  std::vector<std::int32_t> decoderInputIds;               // [batch, targetLength]
  std::optional<std::vector<std::int32_t>> labels;         // [batch, targetLength]; -100 is ignored by the loss
  Selection selection;
};

/// Throws ERR_INVALID_ARGUMENT where a wrong length or position would read outside an array.
void check(const ForwardRequest& request);

}  // namespace torch_t5
