#include "weights/pickle_check.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/errors.h"

namespace torch_t5 {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::uint64_t kMaxValues = 5'000'000;
constexpr std::size_t kMaxTypeParts = 64;
constexpr std::size_t kMaxName = 200;     // in a message
constexpr std::size_t kMaxArguments = 6;  // of the functions that a pickle calls

/// The instructions that torch::jit::Pickler writes: torch/csrc/jit/serialization/pickler.h.
enum Instruction : unsigned char {
  kMark = '(',
  kStop = '.',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppends = 'e',
  kBuild = 'b',
  kGlobal = 'c',
  kEmptyDict = '}',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItems = 'u',
  kTuple = 't',
  kEmptyTuple = ')',
  kBinFloat = 'G',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
};

enum class Kind { kPlain, kInt, kString, kTuple, kList, kDict, kStorageType, kFunction, kClass, kStorage };

/// What a function of the pickle takes.
enum class Function { kTensor, kList, kTypedContainer, kDevice, kAnything };

struct Value {
  Kind kind = Kind::kPlain;
  int depth = 0;
  std::uint64_t values = 1;                                 // with those inside
  std::size_t id = 0;                                       // of a list or dictionary
  std::string_view text;                                    // of a string
  std::vector<std::pair<Kind, std::string_view>> elements;  // of a tuple that a function can take
  Function function = Function::kAnything;
};

struct NamedFunction {
  std::string_view name;
  Function function;
};

constexpr auto kFunctions = std::to_array<NamedFunction>({
    {"torch._utils _rebuild_tensor_v2", Function::kTensor},
    {"torch.jit._pickle build_intlist", Function::kList},
    {"torch.jit._pickle build_tensorlist", Function::kList},
    {"torch.jit._pickle build_doublelist", Function::kList},
    {"torch.jit._pickle build_boollist", Function::kList},
    {"torch.jit._pickle restore_type_tag", Function::kTypedContainer},
    {"torch device", Function::kDevice},
    {"collections OrderedDict", Function::kAnything},
});

constexpr auto kStorageTypes = std::to_array<std::string_view>({
    "torch FloatStorage",
    "torch DoubleStorage",
    "torch HalfStorage",
    "torch BFloat16Storage",
    "torch ByteStorage",
    "torch CharStorage",
    "torch ShortStorage",
    "torch IntStorage",
    "torch LongStorage",
    "torch BoolStorage",
});

[[noreturn]] void refuse(const std::string& reason) { throw std::runtime_error("a pickle with " + reason); }

class PickleCheck {
 public:
  PickleCheck(std::string_view pickle, const std::unordered_set<std::string>& storages)
      : rest_(pickle), storages_(storages) {}

  void check() {
    if (number<std::uint8_t>() != kProto || number<std::uint8_t>() != 2) refuse("another protocol than 2");
    while (!isEnded_) follow(number<std::uint8_t>());
    if (stack_.size() != 1 || !marks_.empty()) refuse("more than one value");
  }

 private:
  void follow(std::uint8_t instruction) {
    switch (instruction) {
      case kStop:
        isEnded_ = true;
        return;
      case kNone:
      case kNewTrue:
      case kNewFalse:
        return push({});
      case kBinInt:
        take(4);
        return push({.kind = Kind::kInt});
      case kBinInt1:
        take(1);
        return push({.kind = Kind::kInt});
      case kBinInt2:
        take(2);
        return push({.kind = Kind::kInt});
      case kLong1:
        if (number<std::uint8_t>() != 8) refuse("a number of more than 64 bits");
        take(8);
        return push({.kind = Kind::kInt});
      case kBinFloat:
        take(8);
        return push({});
      case kBinUnicode:
        return push({.kind = Kind::kString, .text = take(number<std::uint32_t>())});
      case kEmptyTuple:
        return push({.kind = Kind::kTuple});
      case kTuple1:
        return makeTuple(popLast(1));
      case kTuple2:
        return makeTuple(popLast(2));
      case kTuple3:
        return makeTuple(popLast(3));
      case kTuple:
        return makeTuple(popToMark());
      case kEmptyList:
        return pushContainer(Kind::kList);
      case kEmptyDict:
        return pushContainer(Kind::kDict);
      case kAppends:
        return extend(Kind::kList, popToMark());
      case kSetItems:
        return extend(Kind::kDict, popToMark());
      case kMark:
        return marks_.push_back(stack_.size());
      case kBinPut:
        return put(number<std::uint8_t>());
      case kLongBinPut:
        return put(number<std::uint32_t>());
      case kBinGet:
        return get(number<std::uint8_t>());
      case kLongBinGet:
        return get(number<std::uint32_t>());
      case kGlobal:
        return readGlobal();
      case kNewObj:
        if (pop().kind != Kind::kTuple || stack_.size() <= floor() || stack_.back().kind != Kind::kClass)
          refuse("an object of no class");
        return;
      case kBuild:
      case kReduce:
        return call();
      case kBinPersId:
        return makeStorage();
      default:
        refuse("the unknown instruction " + std::to_string(instruction));
    }
  }

  /// The values below the last mark can't be popped.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  std::string_view take(std::size_t bytes) {
    if (bytes > rest_.size()) refuse("an early end");
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  template <typename Number>
  Number number() {
    Number number = 0;
    const std::string_view bytes = take(sizeof(Number));
    for (std::size_t index = 0; index < sizeof(Number); ++index)
      number |= static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(bytes[index])) << (8 * index));
    return number;
  }

  std::string_view line() {
    const std::string_view taken = take(std::min(rest_.find('\n'), rest_.size()));
    take(1);
    return taken;
  }

  void push(Value value) { stack_.push_back(std::move(value)); }

  Value pop() {
    if (stack_.size() <= floor()) refuse("an instruction without its operand");
    Value value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }

  std::vector<Value> popLast(std::size_t count) {
    std::vector<Value> values(count);
    for (std::size_t index = count; index > 0; --index) values[index - 1] = pop();
    return values;
  }

  std::vector<Value> popToMark() {
    if (marks_.empty()) refuse("an instruction without its mark");
    std::vector<Value> values = popLast(stack_.size() - marks_.back());
    marks_.pop_back();
    return values;
  }

  static void add(Value& container, const Value& value) {
    container.depth = std::max(container.depth, value.depth + 1);
    container.values += value.values;
    if (container.depth > kMaxDepth) refuse("values in values, more than " + std::to_string(kMaxDepth) + " deep");
    if (container.values > kMaxValues) refuse("more than " + std::to_string(kMaxValues) + " values");
  }

  void makeTuple(const std::vector<Value>& elements) {
    Value tuple{.kind = Kind::kTuple};
    for (const Value& element : elements) {
      add(tuple, element);
    }
    if (elements.size() <= kMaxArguments) {
      for (const Value& element : elements) tuple.elements.emplace_back(element.kind, element.text);
    }
    push(std::move(tuple));
  }

  void pushContainer(Kind kind) {
    push({.kind = kind, .id = isUsedAgain_.size()});
    isUsedAgain_.push_back(false);
  }

  void extend(Kind kind, const std::vector<Value>& values) {
    if (stack_.size() <= floor() || stack_.back().kind != kind) refuse("elements of no container");
    Value& container = stack_.back();
    if (isUsedAgain_[container.id]) refuse("a container that changes after its use");
    if (kind == Kind::kDict && values.size() % 2 != 0) refuse("a key without a value");
    for (const Value& value : values) add(container, value);
  }

  void put(std::size_t index) {
    if (stack_.size() <= floor()) refuse("an instruction without its operand");
    if (index > memo_.size()) refuse("a number that is not the next one");
    if (index == memo_.size()) memo_.emplace_back();
    memo_[index] = stack_.back();
  }

  void get(std::size_t index) {
    if (index >= memo_.size()) refuse("a value before its definition");
    const Value& value = memo_[index];
    if (value.kind == Kind::kList || value.kind == Kind::kDict) isUsedAgain_[value.id] = true;
    push(value);
  }

  void readGlobal() {
    const std::string_view module = line();
    const std::string_view name = line();
    const std::string global = std::string(module) + " " + std::string(name);
    if (std::find(kStorageTypes.begin(), kStorageTypes.end(), global) != kStorageTypes.end())
      return push({.kind = Kind::kStorageType});
    for (const NamedFunction& known : kFunctions) {
      if (known.name == global) return push({.kind = Kind::kFunction, .function = known.function});
    }
    const std::string type = std::string(module) + "." + std::string(name);
    if (!isTypeName(type)) refuse("the name of no type");
    if (!type.starts_with("__torch__.") || type.starts_with("__torch__.torch.classes.")) {
      throw Error(ErrorCode::kModelUntrusted,
                  "Expected tensors, containers and classes of the archive but received " + type.substr(0, kMaxName));
    }
    push({.kind = Kind::kClass});
  }

  void call() {
    const Value argument = pop();
    const Value callee = pop();
    if (callee.kind != Kind::kFunction && callee.kind != Kind::kClass) refuse("a call of no function");
    Value result;
    add(result, argument);
    if (callee.kind == Kind::kFunction) checkArgument(callee.function, argument);
    push(std::move(result));
  }

  static void checkArgument(Function function, const Value& argument) {
    const auto takes = [&](std::initializer_list<Kind> kinds) {
      if (argument.kind != Kind::kTuple || argument.elements.size() < kinds.size()) refuse("a call without arguments");
      for (std::size_t index = 0; index < kinds.size(); ++index) {
        if (argument.elements[index].first != kinds.begin()[index]) refuse("a call with other arguments");
      }
    };
    switch (function) {
      case Function::kTensor:
        takes({Kind::kStorage, Kind::kInt, Kind::kTuple, Kind::kTuple, Kind::kPlain, Kind::kPlain});
        if (argument.elements.size() != 6) refuse("a call with other arguments");
        return;
      case Function::kList:
        return takes({Kind::kList});
      case Function::kTypedContainer:
        if (argument.kind != Kind::kTuple || argument.elements.size() != 2) refuse("a call without arguments");
        if (argument.elements[1].first != Kind::kString || !isTypeName(argument.elements[1].second))
          refuse("the name of no type");
        return;
      case Function::kDevice:
        return takes({Kind::kString});
      case Function::kAnything:
        return;
    }
  }

  void makeStorage() {
    const Value tuple = pop();
    constexpr std::array kExpected{Kind::kString, Kind::kStorageType, Kind::kString, Kind::kString, Kind::kInt};
    const auto hasKind = [](const auto& element, Kind kind) { return element.first == kind; };
    if (tuple.kind != Kind::kTuple ||
        !std::equal(tuple.elements.begin(), tuple.elements.end(), kExpected.begin(), kExpected.end(), hasKind)) {
      refuse("a tensor of no data");
    }
    const std::string name(tuple.elements[2].second);
    if (!storages_.contains(name)) refuse("a tensor of the data " + name + ", which the archive lacks");
    push({.kind = Kind::kStorage});
  }

  std::string_view rest_;
  const std::unordered_set<std::string>& storages_;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Value> memo_;
  std::vector<bool> isUsedAgain_;  // by a container's id
  bool isEnded_ = false;
};

}  // namespace

bool isTypeName(std::string_view text) {
  std::size_t parts = 0;
  for (const char character : text) {
    const bool isLetter = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
    const bool isDigit = character >= '0' && character <= '9';
    if (isLetter || isDigit || character == '_') continue;
    if (std::string_view(".,[] ").find(character) == std::string_view::npos) return false;
    if (++parts > kMaxTypeParts) return false;
  }
  return !text.empty();
}

void checkPickle(std::string_view pickle, const std::unordered_set<std::string>& storages) {
  PickleCheck(pickle, storages).check();
}

}  // namespace torch_t5
