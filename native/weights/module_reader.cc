#include "weights/module_reader.h"

#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/csrc/jit/serialization/import_source.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cancellation.h"
#include "core/errors.h"

namespace torch_t5 {
namespace {

using caffe2::serialize::PyTorchStreamReader;
using torch::jit::CompilationUnit;

/// The source of a class: `a.b.C` lies in `code/a/b.py`, and libtorch asks for `a.b`.
std::shared_ptr<torch::jit::Source> findSource(PyTorchStreamReader& reader, std::string qualifier) {
  CancellationScope::check();
  std::replace(qualifier.begin(), qualifier.end(), '.', '/');
  const std::string path = "code/" + qualifier + ".py";
  if (!reader.hasRecord(path)) return nullptr;
  const auto [data, size] = reader.getRecord(path);
  return std::make_shared<torch::jit::Source>(std::string_view(static_cast<const char*>(data.get()), size), path);
}

/// A traced module is a class and its attributes. Code of its own that would run while it is loaded is refused.
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

}  // namespace

torch::jit::Module readModule(PyTorchStreamReader& reader,
                              std::shared_ptr<torch::jit::DeserializationStorageContext> storages) {
  const auto functions = std::make_shared<CompilationUnit>();
  std::vector<c10::IValue> constants;
  const torch::jit::SourceImporter importer(
      functions, &constants, [&reader](const std::string& qualifier) { return findSource(reader, qualifier); },
      reader.version());
  const auto read = [&](const std::string& name, std::shared_ptr<torch::jit::DeserializationStorageContext> context) {
    return torch::jit::readArchiveAndTensors(
        name, /*pickle_prefix=*/"", /*tensor_prefix=*/"",
        [&](const c10::QualifiedName& type) { return c10::StrongTypePtr(functions, importer.loadType(type)); },
        makeObject, at::kCPU, reader, torch::jit::Unpickler::defaultTypeParser, std::move(context));
  };
  constants = read("constants", nullptr).toTupleRef().elements().vec();
  return torch::jit::Module(read("data", std::move(storages)).toObject());
}

}  // namespace torch_t5
