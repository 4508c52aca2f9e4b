#include "engine/scripted/archive.h"

#include <torch/csrc/jit/serialization/import.h>

#include <array>
#include <filesystem>

#include "engine/error_barrier.h"
#include "engine/scripted/weight_placement.h"
#include "errors.h"

namespace torch_t5 {
namespace {

struct MethodSignature {
  const char* name;
  std::size_t tensors;  // arguments without `self`
};

// `step` takes the past either as one list or as flat tensors after the first two.
constexpr std::array<MethodSignature, 4> kMethods{{{"forward", 3}, {"encode", 2}, {"prefill", 3}, {"step", 3}}};

void checkMethods(const torch::jit::Module& module, const std::string& path) {
  for (const auto& [name, tensors] : kMethods) {
    const auto method = module.find_method(name);
    if (!method) {
      throw Error(ErrorCode::kModelCorrupt, "Expected a T5 export with the method " + std::string(name) +
                                                " for model.pt but received a TorchScript archive without it: " + path);
    }
    const std::size_t received = method->function().getSchema().arguments().size() - 1;
    const bool matches = std::string_view(name) == "step" ? received >= tensors : received == tensors;
    if (!matches) {
      throw Error(ErrorCode::kModelCorrupt, "Expected " + std::to_string(tensors) + " arguments for the method " +
                                                std::string(name) + " of model.pt but received " +
                                                std::to_string(received) + ": " + path);
    }
  }
}

}  // namespace

torch::jit::Module readArchive(const std::string& path, const c10::Device& device) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(std::filesystem::path(path), ignored)) {
    throw Error(ErrorCode::kModelNotFound, "Expected a file for model.pt but received " + path);
  }
  try {
    torch::jit::ExtraFilesMap extraFiles{{kWeightPlacementFile, ""}};
    torch::jit::Module module = torch::jit::load(path, device, extraFiles, /*load_debug_files=*/false);
    checkMethods(module, path);
    if (device.is_cpu()) placeWeights(module, extraFiles.at(kWeightPlacementFile));
    return module;
  } catch (const Error&) {
    throw;
  } catch (...) {
    const Error reason = describeCurrentException();
    if (reason.code() != ErrorCode::kInternal) throw reason;
    throw Error(ErrorCode::kModelCorrupt, "Expected a TorchScript archive for model.pt but received a damaged one: " +
                                              path + " (" + reason.what() + ")");
  }
}

}  // namespace torch_t5
