#include "weights/archive.h"

#include <caffe2/serialize/inline_container.h>

#include <array>
#include <filesystem>
#include <future>

#include "core/errors.h"
#include "engine/error_barrier.h"
#include "weights/module_reader.h"
#include "weights/weight_arena.h"
#include "weights/weight_placement.h"

namespace torch_t5 {
namespace {

using caffe2::serialize::PyTorchStreamReader;

struct MethodSignature {
  const char* name;
  std::size_t arguments;  // without `self`
};

constexpr std::array<MethodSignature, 4> kMethods{{{"forward", 3}, {"encode", 2}, {"prefill", 3}, {"step", 3}}};

void checkMethods(const torch::jit::Module& module, const std::string& path) {
  for (const auto& [name, arguments] : kMethods) {
    const auto method = module.find_method(name);
    if (!method) {
      throw Error(ErrorCode::kModelCorrupt, "Expected a T5 export with the method " + std::string(name) +
                                                " for model.pt but received a TorchScript archive without it: " + path);
    }
    const std::size_t received = method->function().getSchema().arguments().size() - 1;
    if (received != arguments) {
      throw Error(ErrorCode::kModelCorrupt, "Expected " + std::to_string(arguments) + " arguments for the method " +
                                                std::string(name) + " of model.pt but received " +
                                                std::to_string(received) + ": " + path);
    }
  }
}

std::string readPlacementNotes(PyTorchStreamReader& reader) {
  if (!reader.hasRecord(WeightPlacement::kRecord)) return {};
  const auto [data, size] = reader.getRecord(WeightPlacement::kRecord);
  return {static_cast<const char*>(data.get()), size};
}

torch::jit::Module read(const std::string& path) {
  PyTorchStreamReader reader(path);
  const WeightPlacement placement(readPlacementNotes(reader));
  const WeightArena arena(reader, path, placement.usual());
  auto weightsRead = std::async(std::launch::async, [&arena] { arena.read(); });
  torch::jit::Module module = readModule(reader, arena.storages());
  weightsRead.get();
  placement.apply(module);
  return module;
}

}  // namespace

torch::jit::Module readTorchScript(const std::string& path, const std::string& name) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(std::filesystem::path(path), ignored)) {
    throw Error(ErrorCode::kModelNotFound, "Expected a file for " + name + " but received " + path);
  }
  try {
    return read(path);
  } catch (const Error&) {
    throw;
  } catch (...) {
    const Error reason = describeCurrentException();
    if (reason.code() != ErrorCode::kInternal) throw reason;
    throw Error(ErrorCode::kModelCorrupt, "Expected a TorchScript archive for " + name +
                                              " but received a damaged one: " + path + " (" + reason.what() + ")");
  }
}

torch::jit::Module readArchive(const std::string& path) {
  torch::jit::Module module = readTorchScript(path, "model.pt");
  checkMethods(module, path);
  return module;
}

}  // namespace torch_t5
