#include "weights/archive.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/csrc/jit/serialization/import_source.h>
#include <torch/csrc/jit/serialization/storage_context.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <future>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cancellation.h"
#include "core/errors.h"
#include "engine/libtorch_errors.h"
#include "weights/weight_memory.h"

namespace torch_t5 {
namespace {

using caffe2::serialize::PyTorchStreamReader;
using torch::jit::CompilationUnit;
using Storages = std::shared_ptr<torch::jit::DeserializationStorageContext>;

struct MethodSignature {
  const char* name;
  std::size_t arguments;  // without `self`
};

constexpr MethodSignature kEncode{"encode", 2};
constexpr std::array kEncoderMethods{kEncode};
constexpr std::array kClassifierMethods{MethodSignature{"classify", 2}};
constexpr std::array kGenerationMethods{MethodSignature{"forward", 3}, kEncode, MethodSignature{"prefill", 3},
                                        MethodSignature{"step", 3}};

std::span<const MethodSignature> methodsOf(ModelKind kind) {
  switch (kind) {
    case ModelKind::kEncoder:
      return kEncoderMethods;
    case ModelKind::kSequenceClassification:
    case ModelKind::kTokenClassification:
      return kClassifierMethods;
    case ModelKind::kGeneration:
      break;
  }
  return kGenerationMethods;
}

void checkMethods(const torch::jit::Module& module, ModelKind kind, const std::string& path) {
  for (const auto& [name, arguments] : methodsOf(kind)) {
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

/// The source code of a module: that of `a.b` is stored in `code/a/b.py`.
std::shared_ptr<torch::jit::Source> findSource(PyTorchStreamReader& reader, std::string qualifier) {
  CancellationScope::check();
  std::replace(qualifier.begin(), qualifier.end(), '.', '/');
  const std::string path = "code/" + qualifier + ".py";
  if (!reader.hasRecord(path)) return nullptr;
  const auto [data, size] = reader.getRecord(path);
  return std::make_shared<torch::jit::Source>(std::string_view(static_cast<const char*>(data.get()), size), path);
}

/// An object of a traced class, from its attributes. A class with code that runs when it is loaded is refused.
c10::intrusive_ptr<c10::ivalue::Object> makeObject(const c10::StrongTypePtr& type, const c10::IValue& state) {
  const auto classType = type.type_->expect<c10::ClassType>();
  if (classType->findMethod("__setstate__") != nullptr) {
    throw Error(ErrorCode::kModelUntrusted,
                "Expected a TorchScript archive of weights and methods but received one with code that "
                "runs while it is loaded");
  }
  const std::size_t count = classType->numAttributes();
  const auto attributes = state.toGenericDict();
  auto object = c10::ivalue::Object::create(type, count);
  for (std::size_t index = 0; index < count; ++index) {
    object->setSlot(index, attributes.at(classType->getAttributeName(index)));
  }
  return object;
}

/// Compiles the archive's code and unpickles its data on the CPU, as torch::jit::load does, but into `storages`, which
/// contains every tensor of the folder `data/`.
torch::jit::Module readModule(PyTorchStreamReader& reader, Storages storages) {
  const auto functions = std::make_shared<CompilationUnit>();
  std::vector<c10::IValue> constants;
  const torch::jit::SourceImporter importer(
      functions, &constants, [&reader](const std::string& qualifier) { return findSource(reader, qualifier); },
      reader.version());
  const auto read = [&](const std::string& name, Storages context) {
    return torch::jit::readArchiveAndTensors(
        name, /*pickle_prefix=*/"", /*tensor_prefix=*/"",
        [&](const c10::QualifiedName& type) { return c10::StrongTypePtr(functions, importer.loadType(type)); },
        makeObject, at::kCPU, reader, torch::jit::Unpickler::defaultTypeParser, std::move(context));
  };
  constants = read("constants", nullptr).toTupleRef().elements().vec();
  return torch::jit::Module(read("data", std::move(storages)).toObject());
}

std::string readAlignmentRecord(PyTorchStreamReader& reader) {
  if (!reader.hasRecord(WeightAlignment::kRecord)) return {};
  const auto [data, size] = reader.getRecord(WeightAlignment::kRecord);
  return {static_cast<const char*>(data.get()), size};
}

/// Reads the weights on a second thread while the code is compiled.
torch::jit::Module read(const std::string& path) {
  PyTorchStreamReader reader(path);
  const WeightAlignment alignment(readAlignmentRecord(reader));
  const WeightArena arena(reader, path, alignment.commonOffset());
  auto weightsRead = std::async(std::launch::async, [&arena] { arena.read(); });
  torch::jit::Module module = readModule(reader, arena.storages());
  weightsRead.get();
  alignment.apply(module);
  return module;
}

}  // namespace

torch::jit::Module readArchive(const std::string& path, ModelKind kind) {
  torch::jit::Module module = readTorchScript(path, "model.pt");
  checkMethods(module, kind, path);
  return module;
}

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

}  // namespace torch_t5
