#include "weights/archive.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/csrc/jit/serialization/import_source.h>
#include <torch/csrc/jit/serialization/storage_context.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/cancellation.h"
#include "core/errors.h"
#include "core/platform/file_reader.h"
#include "core/platform/files.h"
#include "engine/libtorch_errors.h"
#include "weights/code_check.h"
#include "weights/pickle_check.h"
#include "weights/source_check.h"
#include "weights/weight_memory.h"
#include "weights/zip_directory.h"

namespace torch_t5 {
namespace {

using caffe2::serialize::PyTorchStreamReader;
using torch::jit::CompilationUnit;
using Storages = std::shared_ptr<torch::jit::DeserializationStorageContext>;

constexpr std::array kEncoderMethods{Method::kEncode};
constexpr std::array kClassifierMethods{Method::kClassify};
constexpr std::array kGenerationMethods{Method::kForward, Method::kEncode, Method::kPrefill, Method::kStep};
constexpr std::array kLayerMethods{Method::kForward, Method::kPrefill, Method::kStep};

/// The number of a method's arguments, without `self`.
std::size_t argumentsOf(Method method) { return method == Method::kEncode || method == Method::kClassify ? 2 : 3; }

void checkMethods(const torch::jit::Module& module, std::span<const Method> methods, const std::string& file,
                  const std::string& path) {
  for (const Method method : methods) {
    const std::string name = kMethodNames.at(static_cast<std::size_t>(method));
    const auto found = module.find_method(name);
    if (!found) {
      throw Error(ErrorCode::kModelCorrupt, "Expected a T5 export with the method " + name + " for " + file +
                                                " but received a TorchScript archive without it: " + path);
    }
    const std::size_t expected = argumentsOf(method);
    const std::size_t received = found->function().getSchema().arguments().size() - 1;
    if (received != expected) {
      throw Error(ErrorCode::kModelCorrupt, "Expected " + std::to_string(expected) + " arguments for the method " +
                                                name + " of " + file + " but received " + std::to_string(received) +
                                                ": " + path);
    }
  }
}

std::string readRecord(PyTorchStreamReader& reader, const std::string& name) {
  const auto [data, size] = reader.getRecord(name);
  return {static_cast<const char*>(data.get()), size};
}

/// The source code of modules: that of `a.b` is stored in `code/a/b.py`.
class Sources {
 public:
  Sources(PyTorchStreamReader& reader, CodePolicy policy)
      : reader_(reader), policy_(policy), stackBegin_(stackAddress()) {}

  std::shared_ptr<torch::jit::Source> find(const std::string& module) const {
    CancellationScope::check();
    const std::uintptr_t here = stackAddress();
    if (std::max(here, stackBegin_) - std::min(here, stackBegin_) > kMaxStackBytes)
      throw std::runtime_error("code with too many modules that use one another");
    std::string path = module;
    std::replace(path.begin(), path.end(), '.', '/');
    path = "code/" + path + ".py";
    if (!reader_.hasRecord(path)) return nullptr;
    auto source = std::make_shared<torch::jit::Source>(readRecord(reader_, path), path);
    checkSource(source, module, policy_);
    return source;
  }

 private:
  // The compiler of a module compiles the modules that it uses first, recursively.
  static constexpr std::uintptr_t kMaxStackBytes = 1U << 20U;

  /// An address on the stack of the thread.
  static std::uintptr_t stackAddress() {
    const char here = 0;
    return reinterpret_cast<std::uintptr_t>(&here);
  }

  PyTorchStreamReader& reader_;
  CodePolicy policy_;
  std::uintptr_t stackBegin_;
};

/// Whether every element of a tensor is inside its memory, and their number fits into 64 bits. libtorch's
/// unpickler checks the first in its newest versions only.
bool isInsideStorage(const at::Tensor& tensor) {
  constexpr std::int64_t kMaxDims = 64;
  if (!tensor.defined() || tensor.layout() != at::kStrided || !tensor.device().is_cpu()) return false;
  if (tensor.dim() > kMaxDims || tensor.storage_offset() < 0) return false;
  // The element size is at most 8 bytes, so this limit keeps the sums below from overflowing.
  constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;
  std::int64_t elements = 1;
  std::int64_t last = tensor.storage_offset();
  bool isEmpty = false;
  for (std::int64_t axis = 0; axis < tensor.dim(); ++axis) {
    const std::int64_t size = tensor.size(axis);
    const std::int64_t stride = tensor.stride(axis);
    if (size < 0 || stride < 0 || size > kMaxElements || stride > kMaxElements) return false;
    if (size == 0) isEmpty = true;
    if (size > 1 && stride > kMaxElements / (size - 1)) return false;
    if (size > 1 && elements > kMaxElements / size) return false;
    if (size > 1) {
      elements *= size;
      last += (size - 1) * stride;
    }
    if (last > kMaxElements) return false;
  }
  return isEmpty || (static_cast<std::uint64_t>(last) + 1) * tensor.itemsize() <= tensor.storage().nbytes();
}

void checkTensor(const at::Tensor& tensor, const std::string& name) {
  if (!isInsideStorage(tensor)) throw std::runtime_error("a tensor that is larger than its data: " + name);
}

bool hasType(const c10::IValue& value, const c10::Type& type, const std::string& name);

template <typename Values>
bool haveType(const Values& values, const c10::Type& type, const std::string& name) {
  return std::all_of(values.begin(), values.end(),
                     [&](const c10::IValue& value) { return hasType(value, type, name); });
}

/// Whether a value, with all that it contains, has a type. Code relies on this: it reads the attributes of an object by
/// their number in the declared class. libtorch believes the types that a pickle states for its containers.
bool hasType(const c10::IValue& value, const c10::Type& type, const std::string& name) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
      if (!value.isTensor()) return false;
      checkTensor(value.toTensor(), name);
      return true;
    case c10::TypeKind::OptionalType:
      return value.isNone() || hasType(value, *type.containedType(0), name);
    case c10::TypeKind::ListType:
      return value.isList() && *value.toList().elementType() == *type.containedType(0) &&
             haveType(value.toListRef(), *type.containedType(0), name);
    case c10::TypeKind::TupleType: {
      if (!value.isTuple() || value.toTupleRef().size() != type.containedTypeSize()) return false;
      for (std::size_t index = 0; index < type.containedTypeSize(); ++index) {
        if (!hasType(value.toTupleRef().elements()[index], *type.containedType(index), name)) return false;
      }
      return true;
    }
    case c10::TypeKind::DictType: {
      if (!value.isGenericDict()) return false;
      const auto dict = value.toGenericDict();
      if (*dict.keyType() != *type.containedType(0) || *dict.valueType() != *type.containedType(1)) return false;
      return std::all_of(dict.begin(), dict.end(), [&](const auto& entry) {
        return hasType(entry.key(), *type.containedType(0), name) &&
               hasType(entry.value(), *type.containedType(1), name);
      });
    }
    case c10::TypeKind::AnyType:
    case c10::TypeKind::UnionType:
    case c10::TypeKind::InterfaceType:
      return hasType(value, *value.type(), name);
    default:  // an object, whose attributes were checked when it was made; a number, a string
      return value.type()->isSubtypeOf(type);
  }
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
    if (const c10::TypePtr& declared = classType->getAttribute(index);
        !hasType(value, *declared, classType->getAttributeName(index))) {
      throw Error(ErrorCode::kModelCorrupt, "Expected " + declared->str() + " for the attribute " +
                                                classType->getAttributeName(index) + " of the archive but received " +
                                                value.tagKind());
    }
    object->setSlot(index, value);
  }
  return object;
}

/// The names of the records in a folder, such as `data/`.
std::unordered_set<std::string> storageNames(const std::vector<ZipRecord>& records, std::string_view folder) {
  std::unordered_set<std::string> names;
  for (const ZipRecord& record : records) {
    if (record.name.starts_with(folder)) names.insert(record.name.substr(folder.size()));
  }
  return names;
}

/// The data of the archive's constants. Without them libtorch would take the sizes that the pickle states.
Storages readConstants(PyTorchStreamReader& reader, const std::vector<ZipRecord>& records) {
  auto storages = std::make_shared<torch::jit::DeserializationStorageContext>();
  constexpr std::string_view kFolder = "constants/";
  for (const std::string& name : storageNames(records, kFolder)) {
    auto [data, size] = reader.getRecord(std::string(kFolder) + name);
    storages->addStorage(name, c10::Storage(c10::Storage::use_byte_size_t(), size, std::move(data),
                                            /*allocator=*/nullptr, /*resizable=*/false));
  }
  return storages;
}

/// Compiles the archive's code into `functions` and unpickles its data on the CPU, as torch::jit::load does, but into
/// `storages`, which contains every tensor of the folder `data/`. None of the code has run when the module is returned.
torch::jit::Module compileModule(const std::shared_ptr<CompilationUnit>& functions, PyTorchStreamReader& reader,
                                 const std::vector<ZipRecord>& records, Storages storages, CodePolicy policy) {
  const Sources sources(reader, policy);
  std::vector<c10::IValue> constants;
  const torch::jit::SourceImporter importer(
      functions, &constants, [&sources](const std::string& module) { return sources.find(module); }, reader.version());
  const auto read = [&](const std::string& name, Storages context) {
    checkPickle(readRecord(reader, name + ".pkl"), storageNames(records, name + "/"));
    return torch::jit::readArchiveAndTensors(
        name, /*pickle_prefix=*/"", /*tensor_prefix=*/"",
        [&](const c10::QualifiedName& type) { return c10::StrongTypePtr(functions, importer.loadType(type)); },
        [policy](const c10::StrongTypePtr& type, const c10::IValue& state) { return makeObject(type, state, policy); },
        at::kCPU, reader, torch::jit::Unpickler::defaultTypeParser, std::move(context));
  };
  constants = read("constants", readConstants(reader, records)).toTupleRef().elements().vec();
  for (const c10::IValue& constant : constants) {
    if (!hasType(constant, *constant.type(), "a constant"))
      throw std::runtime_error("a constant that is not " + constant.type()->str());
  }
  torch::jit::Module module(read("data", std::move(storages)).toObject());
  checkCode(*functions, policy);  // all classes and functions that the module can reach are compiled now
  return module;
}

/// As `compileModule`, into functions of its own.
torch::jit::Module readModule(PyTorchStreamReader& reader, const std::vector<ZipRecord>& records, Storages storages,
                              CodePolicy policy) {
  const auto functions = std::make_shared<CompilationUnit>();
  try {
    return compileModule(functions, reader, records, std::move(storages), policy);
  } catch (...) {
    // A function that is not compiled yet keeps the importer, which keeps all functions.
    functions->drop_all_functions();
    throw;
  }
}

/// libtorch must see the records that were checked.
void compareRecords(PyTorchStreamReader& reader, const std::vector<ZipRecord>& records) {
  std::vector<std::string> names;
  names.reserve(records.size());
  for (const ZipRecord& record : records) {
    if (reader.getRecordSize(record.name) != record.bytes) throw std::runtime_error("two sizes of " + record.name);
    names.push_back(record.name);
  }
  std::vector<std::string> received = reader.getAllRecords();
  std::sort(names.begin(), names.end());
  std::sort(received.begin(), received.end());
  if (names != received) throw std::runtime_error("two directories");
}

/// Reads the weights on a second thread while the code is compiled.
torch::jit::Module read(const std::string& path, CodePolicy policy) {
  const std::vector<ZipRecord> records = readZipDirectory(path);
  PyTorchStreamReader reader(path);
  compareRecords(reader, records);
  const bool hasAlignment = reader.hasRecord(WeightAlignment::kRecord);
  const WeightAlignment alignment(hasAlignment ? readRecord(reader, WeightAlignment::kRecord) : std::string());
  const WeightArena arena(records, path, alignment.commonOffset());
  auto weightsRead = std::async(std::launch::async, [&arena] { arena.read(); });
  torch::jit::Module module = readModule(reader, records, arena.storages(), policy);
  weightsRead.get();
  alignment.apply(module);
  return module;
}

/// A tensor of an archive's data, by the names of the modules that lead to it: `model.shared.weight`.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

/// Unpickles an archive's data without its code: an object of any class is a dictionary of its attributes. Nothing is
/// compiled, so code that the archive may contain stays text.
class DataWithoutCode {
 public:
  DataWithoutCode() { anyClass_->addAttribute("attributes", c10::AnyType::get()); }

  /// The tensors that are attributes of modules. `storages` contains every tensor of the folder `data/`.
  std::vector<NamedTensor> read(PyTorchStreamReader& reader, const std::vector<ZipRecord>& records,
                                Storages storages) const {
    checkPickle(readRecord(reader, "data.pkl"), storageNames(records, "data/"));
    const c10::StrongTypePtr type(functions_, anyClass_);
    const c10::IValue data = torch::jit::readArchiveAndTensors(
        "data", /*pickle_prefix=*/"", /*tensor_prefix=*/"", [&type](const c10::QualifiedName&) { return type; },
        [](const c10::StrongTypePtr& objectType, const c10::IValue& state) {
          auto object = c10::ivalue::Object::create(objectType, 1);
          object->setSlot(0, state.toGenericDict());
          return object;
        },
        at::kCPU, reader, torch::jit::Unpickler::defaultTypeParser, std::move(storages));
    std::vector<NamedTensor> tensors;
    collect(data.toObjectRef(), /*prefix=*/"", /*depth=*/0, tensors);
    return tensors;
  }

 private:
  // The largest T5 has some 600 tensors, and 8 modules in one another.
  static constexpr std::size_t kMaxTensors = 65536;
  static constexpr int kMaxDepth = 64;

  static void collect(const c10::ivalue::Object& object, const std::string& prefix, int depth,
                      std::vector<NamedTensor>& tensors) {
    if (depth > kMaxDepth) throw std::runtime_error("modules in modules, more than " + std::to_string(kMaxDepth));
    for (const auto& entry : object.getSlot(0).toGenericDict()) {
      const c10::IValue value = entry.value();
      if (value.isObject()) {
        collect(value.toObjectRef(), prefix + entry.key().toStringRef() + ".", depth + 1, tensors);
      } else if (value.isTensor()) {
        checkTensor(value.toTensor(), entry.key().toStringRef());
        tensors.push_back({prefix + entry.key().toStringRef(), value.toTensor()});
        if (tensors.size() > kMaxTensors)
          throw std::runtime_error("more than " + std::to_string(kMaxTensors) + " weights");
      }
    }
  }

  std::shared_ptr<CompilationUnit> functions_ = std::make_shared<CompilationUnit>();
  c10::ClassTypePtr anyClass_ = c10::ClassType::create(c10::QualifiedName("__torch__.AnyClass"), functions_);
};

/// Leaves the numbers of weights in the file, where their data are stored as they are in memory.
std::vector<ArchivedWeight> readWeights(const std::string& path) {
  const std::vector<ZipRecord> records = readZipDirectory(path);
  PyTorchStreamReader reader(path);
  compareRecords(reader, records);
  const WeightArena arena(records, path, /*offset=*/0);
  const auto file = std::make_shared<const WeightFile>(StoredFile{path, FileReader(path).size()});
  std::vector<ArchivedWeight> weights;
  bool isReadNeeded = false;
  for (const auto& [name, tensor] : DataWithoutCode().read(reader, records, arena.storages())) {
    const std::optional<std::uint64_t> offset = arena.fileOffsetOf(tensor);
    if (offset && tensor.scalar_type() == at::kFloat && tensor.is_contiguous() && tensor.numel() > 0) {
      const StoredTensor stored{name, StoredType::kFloat32, tensor.sizes().vec(), 0, *offset};
      weights.push_back({name, StoredNumbers(file, stored), {}});
    } else {
      weights.push_back({name, {}, tensor});
      isReadNeeded = true;
    }
  }
  if (isReadNeeded) arena.read();
  return weights;
}

/// Runs `read`, and describes its exceptions as those of a damaged archive.
template <class Read>
auto readFile(const std::string& path, const std::string& name, Read read) {
  if (!isRegularFile(path)) {
    throw Error(ErrorCode::kModelNotFound, "Expected a file for " + name + " but received " + path);
  }
  try {
    return read();
  } catch (const Error&) {
    throw;
  } catch (...) {
    const Error reason = describeCurrentException();
    if (reason.code() != ErrorCode::kInternal) throw reason;
    throw Error(ErrorCode::kModelCorrupt, "Expected a TorchScript archive for " + name +
                                              " but received a damaged one: " + path + " (" + reason.what() + ")");
  }
}

}  // namespace

std::span<const Method> methodsOf(ModelKind kind) {
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

std::vector<ArchivedWeight> readArchivedWeights(const std::string& path) {
  return readFile(path, "model.pt", [&] { return readWeights(path); });
}

torch::jit::Module readArchive(const std::string& path, ModelKind kind) {
  torch::jit::Module module = readTorchScript(path, "model.pt", CodePolicy::kModel);
  checkMethods(module, methodsOf(kind), "model.pt", path);
  return module;
}

torch::jit::Module readLayerArchive(const std::string& path, const std::string& name) {
  torch::jit::Module module = readTorchScript(path, name, CodePolicy::kModel);
  checkMethods(module, kLayerMethods, name, path);
  return module;
}

torch::jit::Module readTorchScript(const std::string& path, const std::string& name, CodePolicy policy) {
  return readFile(path, name, [&] { return read(path, policy); });
}

}  // namespace torch_t5
