// The head of a classifier, made from its weights.
#pragma once

#include <optional>

#include "engine/classification.h"
#include "weights/weights.h"

namespace torch_t5 {

/// The head on `device`, from a copy of the weights; none if the model is no classifier.
std::optional<ClassificationHead> classificationHeadOf(const Weights& weights, const at::Device& device);

}  // namespace torch_t5
