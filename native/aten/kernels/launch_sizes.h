// The sizes that kernels of a decoder step are compiled for. The same text is compiled for the host and for the device.
#pragma once

namespace torch_t5 {

constexpr int kLanes = 32;  // of a warp

// Threads per block.
constexpr int kRowThreads = 256;        // embed, addNorm, addNormalize, activate, scaleStates, choose from ranks
constexpr int kAttentionThreads = 256;  // selfAttention, crossAttention
constexpr int kChooseThreads = 1024;    // choose from logits
constexpr int kLinearThreads = 128;     // normLinear, normFeedForward, normalize, lmHead, normArgmax
constexpr int kLinearAddThreads = 256;  // linearAdd

// Matrix rows that a warp multiplies at once: at most as many as it has lanes for their sums, kLanes / ROWS. A gated
// feed-forward layer has half of them from each matrix.
constexpr int kNormLinearColumns = 2;
constexpr int kFeedForwardColumns = 4;
constexpr int kLmHeadColumns = 4;
constexpr int kLinearAddColumns = 2;

// The warps of linearAdd that share a matrix row. A small matrix has too few rows to keep a GPU busy otherwise.
constexpr int kSmallModel = 1024;  // below this dModel
constexpr int kSplitOfSmallModel = 4;
constexpr int kSplitOfLargeModel = 2;

}  // namespace torch_t5
