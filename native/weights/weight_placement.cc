#include "weights/weight_placement.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>

#include "core/errors.h"

namespace torch_t5 {
namespace {

constexpr std::uintptr_t kBoundary = 64;  // bytes: a cache line and an AVX-512 register

std::uintptr_t placeOf(const at::Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % kBoundary;
}

at::Tensor copyTo(const at::Tensor& weight, std::uintptr_t place) {
  const auto spare = static_cast<std::int64_t>(kBoundary / weight.itemsize());
  const at::Tensor memory = at::empty({weight.numel() + spare}, weight.options());
  const std::uintptr_t ahead = (place + kBoundary - placeOf(memory)) % kBoundary;
  const at::Tensor placed =
      memory.narrow(0, static_cast<std::int64_t>(ahead / weight.itemsize()), weight.numel()).view(weight.sizes());
  // Not copy_: starting libtorch's threads for each weight takes longer than copying it.
  std::memcpy(placed.data_ptr(), weight.data_ptr(), weight.nbytes());
  return placed;
}

[[noreturn]] void refuse(const std::string& name) {
  throw Error(ErrorCode::kModelCorrupt, "Expected a weight of model.pt for each line of its " +
                                            std::string(WeightPlacement::kRecord) + " but received " + name);
}

}  // namespace

WeightPlacement::WeightPlacement(const std::string& notes) {
  std::istringstream lines(notes);
  std::uintptr_t place = 0;
  std::string name;
  while (lines >> place >> name) {
    if (place >= kBoundary) refuse(name);
    places_.emplace(name, place);
  }
}

std::uintptr_t WeightPlacement::usual() const {
  std::array<std::size_t, kBoundary> counts{};
  for (const auto& [name, place] : places_) ++counts[place];
  return static_cast<std::uintptr_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

void WeightPlacement::apply(const torch::jit::Module& module) const {
  std::size_t found = 0;
  std::unordered_map<const void*, at::Tensor> moved;  // by the address that they had
  for (const auto& [name, weight] : module.named_parameters()) {
    const auto note = places_.find(name);
    const std::uintptr_t place = note == places_.end() ? 0 : note->second;
    if (note != places_.end()) ++found;
    if (placeOf(weight) == place) continue;
    if (!weight.is_contiguous() || place % weight.itemsize() != 0) refuse(name);
    at::Tensor& placed = moved[weight.data_ptr()];
    if (!placed.defined()) placed = copyTo(weight, place);
    weight.set_data(placed.view(weight.sizes()));
  }
  if (found != places_.size()) refuse(std::to_string(places_.size() - found) + " others");
}

}  // namespace torch_t5
