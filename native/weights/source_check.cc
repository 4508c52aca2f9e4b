#include "weights/source_check.h"

#include <torch/csrc/jit/frontend/lexer.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
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
constexpr std::size_t kMaxTokens = 50'000;     // in one definition: the compiler's time grows with their square
constexpr std::size_t kMaxDefinitions = 1000;  // in one file, in which definitions can use one another
constexpr std::size_t kMaxEmptyLines = 1000;   // libtorch's lexer recurses once a line

// Operators on numbers and strings, which the compiler runs if their arguments are constants, and that end the process
// for some of them, take all memory, never return, or do more than compute. Every operator without tensors was called
// with random arguments. The compiler doesn't run operators on tensors, or those that it knows to have side effects.
constexpr auto kRefused = std::to_array<std::string_view>({
    "__round_to_zero_floordiv",
    "_cufft_clear_plan_cache",
    "_cufft_set_plan_cache_max_size",
    "_print",
    "center",
    "count",
    "divmod",
    "expandtabs",
    "gcd",
    "ljust",
    "promote_types",
    "replace",
    "rjust",
    "seed",
    "set_grad_enabled",
    "zfill",
});

// A quotient of integers ends the process for the divisor 0, and for the divisor -1 of the smallest integer.
constexpr auto kDivisions = std::to_array<std::string_view>({"floordiv", "remainder"});

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

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

/// Follows names such as `torch.save`, `ops.quantized.relu6` and `getattr(x, "save")`, and divisors.
class OperatorCheck {
 public:
  OperatorCheck(const std::string& module, CodePolicy policy) : module_(module), policy_(policy) {}

  void endStatement() {
    isAfterGetattr_ = false;
    last_ = {};
    lastButOne_ = {};
  }

  void read(const Token& token) {
    Seen seen{.kind = token.kind};
    if (token.kind == torch::jit::TK_IDENT) {
      seen.text = token.text();
      readName(seen.text);
    } else if (token.kind == torch::jit::TK_STRINGLITERAL) {
      readString(token.text());
    } else if (token.kind == torch::jit::TK_NUMBER) {
      seen.isDivisor = isDivisor(token.text());
    }
    readRoot(seen);
    readDivision(seen);
    lastButOne_ = std::exchange(last_, std::move(seen));
  }

 private:
  struct Seen {
    int kind = 0;
    std::string text;  // of a name
    bool isDivisor = false;
  };

  void readName(const std::string& name) {
    if (last_.kind == '(' && lastButOne_.text == "getattr" && isRoot(name)) refuseOperator("getattr of " + name);
    if (contains(kRefused, name) && (last_.kind == '.' || name == "divmod")) refuseOperator("aten::" + name);
    if (last_.kind == '.' && !library_.empty()) refuseOperator(library_ + "::" + name);
    const bool isLibrary = last_.kind == '.' && lastButOne_.text == "ops" && name != "aten" && name != "prim";
    library_ = isLibrary ? name : std::string();
    if (name == "getattr") isAfterGetattr_ = true;
  }

  static bool isRoot(const std::string& name) { return name == "torch" || name == "ops"; }

  /// `torch`, `ops` and `ops.library` are not values: their names are part of an operator's.
  void readRoot(const Seen& seen) const {
    if (last_.kind != torch::jit::TK_IDENT || seen.kind == '.') return;
    const bool isLibrary = lastButOne_.kind == '.' && !library_.empty() && library_ == last_.text;
    if (isLibrary || (lastButOne_.kind != '.' && isRoot(last_.text))) refuseOperator(last_.text + " as a value");
  }

  /// The name that `getattr` takes must be readable here.
  void readString(const std::string& text) {
    if (!isAfterGetattr_) return;
    const std::string name = text.substr(1, text.size() - 2);
    if (contains(kRefused, name) || contains(kDivisions, name)) refuseOperator("aten::" + name);
    if (last_.kind == torch::jit::TK_STRINGLITERAL || text.find('\\') != std::string::npos ||
        text.starts_with("\"\"") || text.starts_with("''")) {
      refuseOperator("a name in parts");
    }
  }

  /// Whether the text of a number is that of a positive one.
  static bool isDivisor(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; }) &&
           text.front() >= '1';
  }

  void readDivision(const Seen& seen) {
    const bool isOperator =
        last_.kind == '%' || last_.kind == torch::jit::TK_FLOOR_DIV || last_.kind == torch::jit::TK_MOD_EQ;
    const bool wasDivisor =
        last_.isDivisor && (lastButOne_.kind == '%' || lastButOne_.kind == torch::jit::TK_FLOOR_DIV);
    if ((isOperator && !seen.isDivisor) || (wasDivisor && seen.kind == torch::jit::TK_POW)) refuseDivision();
    const bool isCall = last_.kind == torch::jit::TK_IDENT && contains(kDivisions, last_.text);
    if (isCall && lastButOne_.kind == '.' && seen.kind != '(') refuseDivision();
    if (seen.kind == '(' || seen.kind == '[' || seen.kind == '{') {
      isDivision_.push_back(isCall && lastButOne_.kind == '.' && seen.kind == '(');
    } else if ((seen.kind == ')' || seen.kind == ']' || seen.kind == '}') && !isDivision_.empty()) {
      if (isDivision_.back() && !(last_.isDivisor && lastButOne_.kind == ',')) refuseDivision();
      isDivision_.pop_back();
    }
  }

  void refuseDivision() const { refuseOperator("a division of integers by anything but a positive number"); }

  void refuseOperator(const std::string& name) const {
    if (policy_ != CodePolicy::kAny) throw untrusted(name, module_, policy_);
  }

  const std::string& module_;
  CodePolicy policy_;
  Seen last_;
  Seen lastButOne_;
  std::string library_;           // whose operator the next name is
  bool isAfterGetattr_ = false;   // in the same statement
  std::vector<bool> isDivision_;  // for each open bracket
};

}  // namespace

void checkSource(const std::shared_ptr<torch::jit::Source>& source, const std::string& module, CodePolicy policy) {
  checkEmptyLines(source->text_str().str());
  Lexer lexer(source);
  ExpressionDepth expression;
  OperatorCheck operators(module, policy);
  std::size_t blocks = 0;
  std::size_t elifs = 0;
  std::size_t definitions = 0;
  std::size_t tokens = 0;
  while (lexer.cur().kind != torch::jit::TK_EOF) {
    const Token token = lexer.next();
    if (++tokens > kMaxTokens) refuse("a definition of more than " + std::to_string(kMaxTokens) + " tokens");
    operators.read(token);
    switch (token.kind) {
      case torch::jit::TK_INDENT:
        if (++blocks > kMaxBlockDepth) refuse("more than " + std::to_string(kMaxBlockDepth) + " nested blocks");
        expression.endStatement();
        operators.endStatement();
        break;
      case torch::jit::TK_DEDENT:
        --blocks;
        break;
      case torch::jit::TK_NEWLINE:
        expression.endStatement();
        operators.endStatement();
        break;
      case torch::jit::TK_DEF:
      case torch::jit::TK_CLASS_DEF:
        elifs = 0;
        tokens = 0;
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
