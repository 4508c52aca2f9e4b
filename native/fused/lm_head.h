// Logits: decoder states times the rows of `lm_head`.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/engine.h"
#include "fused/linear.h"
#include "fused/packed_model.h"
#include "fused/scratch.h"
#include "fused/threading/worker_pool.h"

namespace torch_t5 {

/// The numbers of a contiguous float32 tensor, as rows of its last dimension.
FloatRows toFloatRows(const at::Tensor& tensor);

/// Some decoder states, and what is computed from them.
struct LogitsPart {
  at::Tensor states;  // [R, T, D], or with `areSelected` those of the selected positions [R, P, D]
  bool areSelected;
  const LogitsSelection& selection;
  at::Tensor& logits;  // [R, P, K]; stays undefined for an empty selection, and with `highest`
  at::Tensor* highest =
      nullptr;  // not null: int64 [R], the id of the highest logit; needs one position, and all tokens
};

class LmHead {
 public:
  LmHead(const PackedModel& model, const Executor& executor, Scratch& scratch)
      : model_(model), executor_(executor), scratch_(scratch) {}

  /// Computes each part. Parts with all tokens share one product, up to a limit of rows; their logits then share
  /// memory. Throws ERR_ABORTED.
  void compute(const std::vector<LogitsPart>& parts);

 private:
  struct Selected {
    const LogitsPart* part;
    at::Tensor states;  // [R, P, D]

    std::int64_t rows() const { return states.size(0) * states.size(1); }
  };

  at::Tensor select(const LogitsPart& part) const;
  void computeShared(const std::vector<Selected>& parts);
  at::Tensor multiplyBy(const PackedMatrix& matrix, const at::Tensor& states, std::int64_t columns);
  at::Tensor highestOf(const at::Tensor& logits, const std::vector<std::int64_t>& rows) const;

  const PackedModel& model_;
  const Executor& executor_;
  Scratch& scratch_;
};

}  // namespace torch_t5
