#include "weights/classification_head.h"

#include <utility>
#include <vector>

namespace torch_t5 {

std::optional<ClassificationHead> classificationHeadOf(const Weights& weights, const at::Device& device) {
  if (weights.classifier.empty()) return std::nullopt;
  std::vector<Dense> layers;
  for (std::size_t index = 0; index < weights.classifier.size(); ++index) {
    const auto& [weight, bias] = weights.classifier[index];
    const bool isLast = index + 1 == weights.classifier.size();
    layers.emplace_back(weight, bias, isLast ? DenseActivation::kIdentity : DenseActivation::kTanh, device);
  }
  return ClassificationHead(std::move(layers));
}

}  // namespace torch_t5
