#include "weights/source_check.h"

#include <torch/csrc/jit/frontend/lexer.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "weights/allowed_operators.h"

namespace torch_t5 {
namespace {

using torch::jit::Lexer;
using torch::jit::Token;

// torch.jit.save writes expressions of fewer than 100 operators and brackets, one inside the other.
constexpr std::size_t kMaxExpressionDepth = 300;
constexpr std::size_t kMaxBlockDepth = 32;
constexpr std::size_t kMaxElifs = 100;
constexpr std::size_t kMaxDefinitions = 1000;  // in one file, in which definitions can use one another
constexpr std::size_t kMaxEmptyLines = 1000;   // libtorch's lexer recurses once a line

// Operators on numbers and strings that do more than compute. The others of aten and prim that the compiler could run
// are pure, or known to it to have side effects, which it does not run.
constexpr auto kImpure = std::to_array<std::string_view>({
    "_cufft_clear_plan_cache",
    "_cufft_set_plan_cache_max_size",
    "_print",
    "seed",
    "set_grad_enabled",
});

[[noreturn]] void refuse(const std::string& reason) { throw std::runtime_error("code with " + reason); }

/// Lines without code that follow one another.
void checkEmptyLines(std::string_view text) {
  std::size_t emptyLines = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const std::size_t first = line.find_first_not_of(" \t\r\f\v");
    const bool isEmpty = first == std::string_view::npos || line[first] == '#' || line[first] == '\\';
    emptyLines = isEmpty ? emptyLines + 1 : 0;
    if (emptyLines > kMaxEmptyLines) refuse("more than " + std::to_string(kMaxEmptyLines) + " empty lines");
    begin = end + 1;
  }
}

/// The depth of the expression at the current token: at most the operators and brackets since the last comma, in each
/// open bracket.
class ExpressionDepth {
 public:
  void endStatement() {
    depth_ = 0;
    open_.assign(1, 0);
  }

  void read(int kind) {
    switch (kind) {
      case torch::jit::TK_IDENT:
      case torch::jit::TK_NUMBER:
      case torch::jit::TK_STRINGLITERAL:
        return;
      case ',':
        depth_ -= open_.back();
        open_.back() = 0;
        return;
      case ')':
      case ']':
      case '}':
        depth_ -= open_.back();
        open_.pop_back();
        if (open_.empty()) refuse("a bracket that was not opened");
        return;
      default:
        ++open_.back();
        if (++depth_ > kMaxExpressionDepth)
          refuse("an expression of more than " + std::to_string(kMaxExpressionDepth) + " operators");
        if (kind == '(' || kind == '[' || kind == '{') open_.push_back(0);
    }
  }

 private:
  std::size_t depth_ = 0;
  std::vector<std::size_t> open_{0};
};

class NameCheck {
 public:
  NameCheck(const std::string& module, CodePolicy policy) : module_(module), policy_(policy) {}

  /// Follows names such as `torch.save` and `ops.quantized.relu6`.
  void read(const Token& token) {
    if (token.kind != torch::jit::TK_IDENT) {
      if (token.kind != '.') last_.clear();
      isAfterDot_ = token.kind == '.';
      return;
    }
    const std::string name = token.text();
    if (isAfterDot_ && std::find(kImpure.begin(), kImpure.end(), name) != kImpure.end()) refuseOperator("aten::" + name);
    if (isAfterDot_ && !library_.empty()) refuseOperator(library_ + "::" + name);
    library_ = isAfterDot_ && last_ == "ops" && name != "aten" && name != "prim" ? name : std::string();
    last_ = isAfterDot_ ? std::string() : name;
    isAfterDot_ = false;
  }

 private:
  void refuseOperator(const std::string& name) const {
    if (policy_ != CodePolicy::kAny) throw untrusted(name, module_, policy_);
  }

  const std::string& module_;
  CodePolicy policy_;
  std::string last_;     // the name before the dot
  std::string library_;  // whose operator the next name is
  bool isAfterDot_ = false;
};

}  // namespace

void checkSource(const std::shared_ptr<torch::jit::Source>& source, const std::string& module, CodePolicy policy) {
  checkEmptyLines(source->text_str().str());
  Lexer lexer(source);
  ExpressionDepth expression;
  NameCheck names(module, policy);
  std::size_t blocks = 0;
  std::size_t elifs = 0;
  std::size_t definitions = 0;
  while (lexer.cur().kind != torch::jit::TK_EOF) {
    const Token token = lexer.next();
    names.read(token);
    switch (token.kind) {
      case torch::jit::TK_INDENT:
        if (++blocks > kMaxBlockDepth) refuse("more than " + std::to_string(kMaxBlockDepth) + " nested blocks");
        expression.endStatement();
        break;
      case torch::jit::TK_DEDENT:
        --blocks;
        break;
      case torch::jit::TK_NEWLINE:
        expression.endStatement();
        break;
      case torch::jit::TK_DEF:
      case torch::jit::TK_CLASS_DEF:
        elifs = 0;
        if (++definitions > kMaxDefinitions) refuse("more than " + std::to_string(kMaxDefinitions) + " definitions");
        break;
      case torch::jit::TK_ELIF:
        if (++elifs > kMaxElifs) refuse("more than " + std::to_string(kMaxElifs) + " branches");
        break;
      default:
        expression.read(token.kind);
    }
  }
}

}  // namespace torch_t5
