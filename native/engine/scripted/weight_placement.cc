#include "engine/scripted/weight_placement.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <sstream>
#include <unordered_map>

#include "errors.h"

namespace torch_t5 {
namespace {

constexpr std::uintptr_t kBoundary = 64;  // bytes: a cache line and an AVX-512 register

std::uintptr_t misalignment(const at::Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % kBoundary;
}

at::Tensor copyTo(const at::Tensor& weight, std::uintptr_t wanted) {
  const auto spare = static_cast<std::int64_t>(kBoundary / weight.itemsize());
  const at::Tensor memory = at::empty({weight.numel() + spare}, weight.options());
  const std::uintptr_t ahead = (wanted + kBoundary - misalignment(memory)) % kBoundary;
  const at::Tensor placed =
      memory.narrow(0, static_cast<std::int64_t>(ahead / weight.itemsize()), weight.numel()).view(weight.sizes());
  return placed.copy_(weight);
}

std::unordered_map<std::string, std::uintptr_t> parse(const std::string& notes) {
  std::unordered_map<std::string, std::uintptr_t> wanted;
  std::istringstream lines(notes);
  std::uintptr_t address = 0;
  std::string name;
  while (lines >> address >> name) wanted.emplace(name, address);
  return wanted;
}

[[noreturn]] void refuse(const std::string& name) {
  throw Error(ErrorCode::kModelCorrupt, "Expected a weight of model.pt for each line of its " +
                                            std::string(kWeightPlacementFile) + " but received " + name);
}

}  // namespace

void placeWeights(const torch::jit::Module& module, const std::string& notes) {
  auto wanted = parse(notes);
  std::unordered_map<const void*, at::Tensor> moved;  // by the address that they had
  for (const auto& [name, weight] : module.named_parameters()) {
    const auto note = wanted.find(name);
    if (note == wanted.end()) continue;
    const std::uintptr_t address = note->second;
    wanted.erase(note);
    if (!weight.is_contiguous() || address >= kBoundary || address % weight.itemsize() != 0) refuse(name);
    if (misalignment(weight) == address) continue;
    at::Tensor& placed = moved[weight.data_ptr()];
    if (!placed.defined()) placed = copyTo(weight, address);
    weight.set_data(placed.view(weight.sizes()));
  }
  if (!wanted.empty()) refuse(wanted.begin()->first);
}

}  // namespace torch_t5
