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
#include <string_view>
#include <utility>
#include <vector>

#include "core/cancellation.h"
#include "core/errors.h"
#include "engine/libtorch_errors.h"
#include "weights/code_check.h"
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

/// The source code of a module: that of `a.b` is stored in `code/a/b.py`.
std::shared_ptr<torch::jit::Source> findSource(PyTorchStreamReader& reader, std::string qualifier) {
  CancellationScope::check();
  std::replace(qualifier.begin(), qualifier.end(), '.', '/');
  const std::string path = "code/" + qualifier + ".py";
  if (!reader.hasRecord(path)) return nullptr;
  const auto [data, size] = reader.getRecord(path);
  return std::make_shared<torch::jit::Source>(std::string_view(static_cast<const char*>(data.get()), size), path);
}

/// Whether a value has the type that its class declares for it. Code relies on this: it reads the attributes of an
/// object by their number in the declared class.
bool hasType(const c10::IValue& value, const c10::TypePtr& type) {
  if (type->kind() == c10::TypeKind::TensorType) return value.isTensor();
  return value.type()->isSubtypeOf(*type);
}

/// An object of a traced class, from its attributes. A class with code that runs when it is loaded is refused.
c10::intrusive_ptr<c10::ivalue::Object> makeObject(const c10::StrongTypePtr& type, const c10::IValue& state,
                                                   CodePolicy policy) {
  const auto classType = type.type_->expect<c10::ClassType>();
  if (classType->findMethod("__setstate__") != nullptr) {
    checkCode(*type.cu_, policy);  // names the operator, if there is one that is not allowed
    throw Error(ErrorCode::kModelUntrusted,
                "Expected a TorchScript archive of weights and methods but received one with code that "
                "runs while it is loaded");
  }
  const std::size_t count = classType->numAttributes();
  const auto attributes = state.toGenericDict();
  auto object = c10::ivalue::Object::create(type, count);
  for (std::size_t index = 0; index < count; ++index) {
    const c10::IValue& value = attributes.at(classType->getAttributeName(index));
    if (const c10::TypePtr& declared = classType->getAttribute(index); !hasType(value, declared)) {
      throw Error(ErrorCode::kModelCorrupt, "Expected " + declared->str() + " for the attribute " +
                                                classType->getAttributeName(index) + " of the archive but received " +
                                                value.tagKind());
    }
    object->setSlot(index, value);
  }
  return object;
}

/// Compiles the archive's code and unpickles its data on the CPU, as torch::jit::load does, but into `storages`, which
/// contains every tensor of the folder `data/`. None of the code has run when the module is returned.
torch::jit::Module readModule(PyTorchStreamReader& reader, Storages storages, CodePolicy policy) {
  const auto functions = std::make_shared<CompilationUnit>();
  std::vector<c10::IValue> constants;
  const torch::jit::SourceImporter importer(
      functions, &constants, [&reader](const std::string& qualifier) { return findSource(reader, qualifier); },
      reader.version());
  const auto read = [&](const std::string& name, Storages context) {
    return torch::jit::readArchiveAndTensors(
        name, /*pickle_prefix=*/"", /*tensor_prefix=*/"",
        [&](const c10::QualifiedName& type) { return c10::StrongTypePtr(functions, importer.loadType(type)); },
        [policy](const c10::StrongTypePtr& type, const c10::IValue& state) { return makeObject(type, state, policy); },
        at::kCPU, reader, torch::jit::Unpickler::defaultTypeParser, std::move(context));
  };
  constants = read("constants", nullptr).toTupleRef().elements().vec();
  torch::jit::Module module(read("data", std::move(storages)).toObject());
  checkCode(*functions, policy);  // all classes and functions that the module can reach are compiled now
  return module;
}

std::string readAlignmentRecord(PyTorchStreamReader& reader) {
  if (!reader.hasRecord(WeightAlignment::kRecord)) return {};
  const auto [data, size] = reader.getRecord(WeightAlignment::kRecord);
  return {static_cast<const char*>(data.get()), size};
}

/// Reads the weights on a second thread while the code is compiled.
torch::jit::Module read(const std::string& path, CodePolicy policy) {
  PyTorchStreamReader reader(path);
  const WeightAlignment alignment(readAlignmentRecord(reader));
  const WeightArena arena(reader, path, alignment.commonOffset());
  auto weightsRead = std::async(std::launch::async, [&arena] { arena.read(); });
  torch::jit::Module module = readModule(reader, arena.storages(), policy);
  weightsRead.get();
  alignment.apply(module);
  return module;
}

}  // namespace

torch::jit::Module readArchive(const std::string& path) {
  torch::jit::Module module = readTorchScript(path, "model.pt", CodePolicy::kModel);
  checkMethods(module, path);
  return module;
}

torch::jit::Module readTorchScript(const std::string& path, const std::string& name, CodePolicy policy) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(std::filesystem::path(path), ignored)) {
    throw Error(ErrorCode::kModelNotFound, "Expected a file for " + name + " but received " + path);
  }
  try {
    return read(path, policy);
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
