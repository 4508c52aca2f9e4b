// Compiles the CUDA kernels of a decoder step with NVRTC, which needs no GPU. Each test takes the path of libnvrtc.
#include <array>
#include <cstddef>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "aten/kernels/step_kernels_source.h"
#include "aten/kernels/step_row.h"
#include "core/platform/shared_library.h"
#include "harness.h"

namespace torch_t5 {
namespace {

using test::expect;

constexpr int kSharedLimit = 48 * 1024;  // bytes of static shared memory

/// What is used of NVRTC's C interface: nvrtc.h.
class Nvrtc {
 public:
  struct Result {
    std::string log;
    std::string ptx;
  };

  explicit Nvrtc(const std::string& path) {
    const OpenedLibrary library = openLibrary(path);
    expect(library.handle != nullptr, "libnvrtc but received " + library.error);
    find(library.handle, "nvrtcCreateProgram", create_);
    find(library.handle, "nvrtcCompileProgram", compile_);
    find(library.handle, "nvrtcGetProgramLogSize", logSize_);
    find(library.handle, "nvrtcGetProgramLog", log_);
    find(library.handle, "nvrtcGetPTXSize", ptxSize_);
    find(library.handle, "nvrtcGetPTX", ptx_);
    find(library.handle, "nvrtcDestroyProgram", destroy_);
  }

  Result compile(const std::string& source, const std::vector<std::string>& options) const {
    void* program = nullptr;
    expect(create_(&program, source.c_str(), "step_kernels.cu", 0, nullptr, nullptr) == 0, "a program");
    std::vector<const char*> pointers;
    for (const std::string& option : options) pointers.push_back(option.c_str());
    const int status = compile_(program, static_cast<int>(pointers.size()), pointers.data());
    Result result;
    result.log = text(program, logSize_, log_);
    expect(status == 0, "kernels without errors but received " + result.log);
    result.ptx = text(program, ptxSize_, ptx_);
    destroy_(&program);
    return result;
  }

 private:
  template <class Function>
  static void find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(findFunction(library, name));
    expect(function != nullptr, std::string("libnvrtc has ") + name);
  }

  static std::string text(void* program, int (*sizeOf)(void*, std::size_t*), int (*copy)(void*, char*)) {
    std::size_t size = 0;
    expect(sizeOf(program, &size) == 0, "a size");
    std::string copied(size, '\0');
    expect(copy(program, copied.data()) == 0, "a text");
    return copied;
  }

  int (*create_)(void**, const char*, const char*, int, const char* const*, const char* const*) = nullptr;
  int (*compile_)(void*, int, const char* const*) = nullptr;
  int (*logSize_)(void*, std::size_t*) = nullptr;
  int (*log_)(void*, char*) = nullptr;
  int (*ptxSize_)(void*, std::size_t*) = nullptr;
  int (*ptx_)(void*, char*) = nullptr;
  int (*destroy_)(void**) = nullptr;
};

/// The macros of an architecture, without ROWS and BFLOAT16.
using Definitions = std::vector<std::string>;

const Definitions kT5Small{"D_MODEL=512", "D_KV=64", "HEADS=8", "D_FF=2048", "GATED=0", "ACTIVATION=0"};
const Definitions kT511b{"D_MODEL=1024", "D_KV=128", "HEADS=128", "D_FF=65536", "GATED=0", "ACTIVATION=0"};
const Definitions kUmt5Xxl{"D_MODEL=4096", "D_KV=64", "HEADS=64", "D_FF=10240", "GATED=1", "ACTIVATION=1"};
const Definitions kTiny{"D_MODEL=72", "D_KV=24", "HEADS=3", "D_FF=96", "GATED=1", "ACTIVATION=3"};

/// The numbers before `unit` in a text, such as 12 in "12 bytes smem".
std::vector<int> numbersBefore(const std::string& text, const std::string& unit) {
  const std::regex pattern("(\\d+) " + unit);
  std::vector<int> numbers;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match)
    numbers.push_back(std::stoi((*match)[1]));
  return numbers;
}

/// Each kernel's name and instructions.
std::vector<std::pair<std::string, std::string>> kernelsOf(const std::string& ptx) {
  constexpr std::string_view kEntry = ".visible .entry ";
  std::vector<std::pair<std::string, std::string>> kernels;
  for (std::size_t at = ptx.find(kEntry); at != std::string::npos;) {
    const std::size_t next = ptx.find(kEntry, at + 1);
    const std::string body = ptx.substr(at + kEntry.size(), next == std::string::npos ? next : next - at);
    kernels.emplace_back(body.substr(0, body.find('(')), body);
    at = next;
  }
  return kernels;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// A kernel that starts early reads nothing that the kernels of a step write before it waits for the previous one.
/// Loads of weights, and of the source's keys and values, are marked; what the host writes, and masks, are read as
/// volatile; a norm is read by kernels whose names start with "norm".
void expectWaits(const std::string& kernel, const std::string& where, const std::string& instructions) {
  const std::string name = kernel + where;
  const std::size_t wait = instructions.find("griddepcontrol.wait");
  expect(wait != std::string::npos, name + " waits for the previous kernel");
  expect(contains(instructions, "griddepcontrol.launch_dependents"), name + " lets the next kernel start");
  const std::string early = instructions.substr(0, wait);
  expect(!contains(early, "st.global") && !contains(early, "\tret;"),
         name + " neither writes nor ends before it waits");
  const bool readsNorm = kernel.starts_with("norm") && kernel != "normalize";
  const std::regex unmarked("ld\\.global\\.(?!L1::no_allocate)");
  expect(readsNorm || !std::regex_search(early, unmarked), name + " reads nothing but constants before it waits");
  const std::regex fromHost("ld\\.volatile\\.global\\.[us]\\d+[^\\[]*\\[%rd\\d+(?:\\+(\\d+))?\\]");
  int count = 0;  // of integers; masks are floats
  for (std::sregex_iterator load(early.begin(), early.end(), fromHost), end; load != end; ++load, ++count) {
    const std::size_t offset = (*load)[1].matched ? std::stoul((*load)[1]) : 0;
    expect(offset < offsetof(StepRow, position), name + " reads nothing that a choice writes before it waits");
  }
  const bool readsHost = kernel == "crossAttention" || kernel == "choose";
  expect(readsHost == (count > 0), name + " reads what the host writes before it waits, or does not");
  if (kernel == "crossAttention") expect(contains(early, "L1::no_allocate"), name + " reads keys before it waits");
  // These may be moved before the wait, and read what an earlier kernel left in a cache.
  expect(!contains(instructions, "ld.global.nc"), name + " reads through coherent caches");
}

void expectCompiles(const Nvrtc& nvrtc, const Definitions& architecture, bool isSmall,
                    const std::vector<const char*>& numbersOfRows = {"0", "1", "8", "16"}) {
  const std::string source = stepKernelsSource();
  for (const char* rows : numbersOfRows) {
    for (const char* bfloat16 : {"0", "1"}) {
      // 16 rows are few only for small models in float32.
      if (rows == std::string_view("16") && (bfloat16 == std::string_view("1") || !isSmall)) continue;
      std::vector<std::string> options{"--std=c++17", std::string("-DROWS=") + rows,
                                       std::string("-DBFLOAT16=") + bfloat16, "-DEPSILON=1e-6f"};
      for (const std::string& definition : architecture) options.push_back("-D" + definition);
      const std::string where = std::string(" with ROWS=") + rows + " BFLOAT16=" + bfloat16;

      options.push_back("--gpu-architecture=compute_80");
      const Nvrtc::Result older = nvrtc.compile(source, options);
      const std::size_t kernels = rows == std::string_view("0") ? 8 : 10;
      expect(kernelsOf(older.ptx).size() == kernels, std::to_string(kernels) + " kernels" + where);
      expect(!contains(older.ptx, "griddepcontrol"), "no instructions of later GPUs" + where);
      expect(!contains(older.ptx, ".local"), "no arrays in local memory" + where);

      options.back() = "--gpu-architecture=sm_90";
      options.push_back("-Xptxas=-v");  // writes what each kernel uses to the log
      const Nvrtc::Result hopper = nvrtc.compile(source, options);
      for (const auto& [name, instructions] : kernelsOf(hopper.ptx)) expectWaits(name, where, instructions);
      const std::vector<int> stacks = numbersBefore(hopper.log, "bytes stack frame");
      expect(stacks.size() == kernels, "a report for each kernel but received " + hopper.log);
      for (const int bytes : stacks) expect(bytes == 0, "registers alone" + where + " but received " + hopper.log);
      for (const int bytes : numbersBefore(hopper.log, "bytes smem"))
        expect(bytes <= kSharedLimit, "little shared memory" + where + " but received " + hopper.log);
    }
  }
}

std::string pathIn(std::span<char*> arguments) {
  expect(arguments.size() == 1, "the path of libnvrtc");
  return arguments[0];
}

void compileT5Small(std::span<char*> arguments) {
  expectCompiles(Nvrtc(pathIn(arguments)), kT5Small, /*isSmall=*/true, {"0", "1", "2", "4", "8", "16"});
}
void compileT511b(std::span<char*> arguments) { expectCompiles(Nvrtc(pathIn(arguments)), kT511b, /*isSmall=*/false); }
void compileUmt5Xxl(std::span<char*> arguments) {
  expectCompiles(Nvrtc(pathIn(arguments)), kUmt5Xxl, /*isSmall=*/false);
}
void compileTiny(std::span<char*> arguments) { expectCompiles(Nvrtc(pathIn(arguments)), kTiny, /*isSmall=*/true); }

constexpr std::array<test::Test, 4> kTests{{
    {"use registers and little shared memory, and wait before they read, for t5-small", compileT5Small},
    {"for t5-11b", compileT511b},
    {"for umt5-xxl", compileUmt5Xxl},
    {"for a tiny gated model", compileTiny},
}};

}  // namespace
}  // namespace torch_t5

int main(int argc, char** argv) { return torch_t5::test::runNamed(torch_t5::kTests, argc, argv); }
