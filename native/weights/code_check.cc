#include "weights/code_check.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/errors.h"
#include "weights/allowed_operators.h"

namespace torch_t5 {
namespace {

using torch::jit::Block;
using torch::jit::Function;
using torch::jit::Node;
namespace attr = torch::jit::attr;
namespace prim = torch::jit::prim;

// A `while` loop has the limit INT64_MAX.
constexpr std::int64_t kMaxIterations = 1'000'000;
// The engines inline every call, so small functions that call one another can become a graph of any size. A T5 with 48
// layers has about 10^4 nodes.
constexpr std::uint64_t kMaxInlinedNodes = 500'000;
// Protects the stack of the checking thread, and libtorch's own recursion afterwards.
constexpr int kMaxCallDepth = 256;

/// Whether values of a type are objects or tuples, or contain any.
bool hasParts(const c10::Type& type) {
  if (type.kind() == c10::TypeKind::ClassType || type.kind() == c10::TypeKind::TupleType) return true;
  const auto contained = type.containedTypes();
  return std::any_of(contained.begin(), contained.end(), [](const c10::TypePtr& inner) { return hasParts(*inner); });
}

class CodeCheck {
 public:
  explicit CodeCheck(CodePolicy policy) : policy_(policy) {}

  void check(Function& function) { countNodes(function, 0); }

 private:
  /// Checks a function and those that it calls. Returns the number of its nodes after inlining.
  std::uint64_t countNodes(Function& function, int depth) {
    const auto [entry, isNew] = sizes_.emplace(&function, std::nullopt);
    if (!isNew) {
      if (!entry->second) refuse("recursion", function);
      return *entry->second;
    }
    if (depth > kMaxCallDepth) refuse("calls in calls, " + std::to_string(kMaxCallDepth) + " deep", function);
    auto* graphFunction = torch::jit::tryToGraphFunction(function);
    if (graphFunction == nullptr) refuse("a call of C++", function);
    const std::uint64_t size = countNodes(*graphFunction->graph()->block(), function, depth);
    if (size > kMaxInlinedNodes) refuse("more than " + std::to_string(kMaxInlinedNodes) + " nodes", function);
    sizes_[&function] = size;
    return size;
  }

  std::uint64_t countNodes(Block& block, const Function& function, int depth) {
    std::uint64_t size = 0;
    for (Node* node : block.nodes()) {
      ++size;
      if (Function* callee = findCallee(*node, function)) size += countNodes(*callee, depth + 1);
      for (Block* inner : node->blocks()) size += countNodes(*inner, function, depth + 1);
      checkNode(*node, function);  // after its blocks: the operator in a branch says more than the branch
    }
    return size;
  }

  void checkNode(const Node& node, const Function& function) const {
    if (!isAllowed(node.kind(), policy_)) refuse(node.kind().toQualString(), function);
    // Parts of an object or tuple are read by their number in the stated type.
    if (node.kind() == prim::unchecked_cast && hasParts(*node.output()->type()))
      refuse("a cast to " + node.output()->type()->str(), function);
    if (node.kind() == prim::Loop) {
      const auto iterations = torch::jit::constant_as<std::int64_t>(node.input(0));
      if (iterations && *iterations > kMaxIterations) refuse("prim::Loop without a limit", function);
    }
  }

  /// What a node calls; null if the node is no call. The target of a call on an interface depends on the object.
  Function* findCallee(const Node& node, const Function& function) const {
    Function* callee = nullptr;
    if (node.kind() == prim::CallFunction) {
      if (const auto type = node.input(0)->type()->cast<c10::FunctionType>()) callee = type->function();
    } else if (node.kind() == prim::CallMethod) {
      if (const auto type = node.input(0)->type()->cast<c10::ClassType>())
        callee = type->findMethod(node.s(attr::name));
    } else {
      return nullptr;
    }
    if (callee == nullptr) refuse(std::string(node.kind().toQualString()) + " of an interface", function);
    return callee;
  }

  [[noreturn]] void refuse(const std::string& received, const Function& function) const {
    throw untrusted(received, function.qualname().qualifiedName(), policy_);
  }

  CodePolicy policy_;
  std::unordered_map<const Function*, std::optional<std::uint64_t>> sizes_;  // empty while the function is checked
};

}  // namespace

void checkCode(const torch::jit::CompilationUnit& functions, CodePolicy policy) {
  if (policy == CodePolicy::kAny) return;
  CodeCheck check(policy);
  for (Function* function : functions.get_functions()) check.check(*function);
}

}  // namespace torch_t5
