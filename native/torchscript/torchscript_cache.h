// The TorchScript engine's cache: the tensors that the archive's `prefill` and `step` pass from one to the other.
#pragma once

#include <ATen/ops/index_select.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace torch_t5 {

class TorchScriptCache final : public DecoderCache {
 public:
  TorchScriptCache(std::vector<at::Tensor> past, at::Tensor attentionMask)
      : past_(std::move(past)), attentionMask_(std::move(attentionMask)) {}

  std::shared_ptr<const DecoderCache> select(const at::Tensor& rows) const override {
    std::vector<at::Tensor> past;
    past.reserve(past_.size());
    for (const at::Tensor& tensor : past_) past.push_back(at::index_select(tensor, 0, rows));
    return std::make_shared<const TorchScriptCache>(std::move(past), at::index_select(attentionMask_, 0, rows));
  }

  /// Per layer: self key, self value, cross key, cross value; [R, heads, length, d_kv].
  const std::vector<at::Tensor>& past() const { return past_; }

  /// Of the sources, a row for each that is decoded: [R, S] int64.
  const at::Tensor& attentionMask() const { return attentionMask_; }

 private:
  std::vector<at::Tensor> past_;
  at::Tensor attentionMask_;
};

}  // namespace torch_t5
