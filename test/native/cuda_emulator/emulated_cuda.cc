#include "cuda_emulator/emulated_cuda.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "cuda_emulator/block.h"
#include "cuda_emulator/modules.h"

namespace torch_t5::emulator {
namespace {

Macros parseMacros(const std::vector<std::string>& definitions) {
  Macros macros;
  const std::map<std::string, int*> integers{
      {"ROWS", &macros.rows},   {"BFLOAT16", &macros.bfloat16},     {"D_MODEL", &macros.dModel},
      {"D_KV", &macros.dKv},    {"HEADS", &macros.heads},           {"D_FF", &macros.dFf},
      {"GATED", &macros.gated}, {"ACTIVATION", &macros.activation},
  };
  for (const std::string& definition : definitions) {
    const std::size_t equals = definition.find('=');
    if (equals == std::string::npos) throw std::runtime_error("expected NAME=value but received " + definition);
    const std::string name = definition.substr(0, equals);
    const std::string value = definition.substr(equals + 1);
    const auto integer = integers.find(name);
    if (integer != integers.end()) {
      *integer->second = std::stoi(value);
    } else if (name == "EPSILON") {
      if (value.back() != 'f' && value.back() != 'F') throw std::runtime_error("expected a float for EPSILON");
      macros.epsilon = std::stof(value);
    } else {
      throw std::runtime_error("the kernels have no macro " + name);
    }
  }
  return macros;
}

std::string joined(const std::vector<std::string>& definitions) {
  std::string text;
  for (const std::string& definition : definitions) text += " " + definition;
  return text;
}

class EmulatedKernels final : public DeviceKernels {
 public:
  EmulatedKernels(const Module& module, std::shared_ptr<EmulatedCuda::Counts> counts)
      : module_(module), counts_(std::move(counts)) {}

  void launch(const KernelLaunch& launch, std::span<void* const> arguments) const override {
    const std::string name = launch.name;
    const auto kernel = std::find_if(module_.kernels.begin(), module_.kernels.end(),
                                     [&](const Kernel& candidate) { return candidate.name == name; });
    if (kernel == module_.kernels.end()) throw std::runtime_error("the module has no kernel " + name);
    ++counts_->launches;
    run({launch.blocksX, launch.blocksY, launch.threads}, kernel->run, arguments.data());
  }

 private:
  const Module& module_;
  std::shared_ptr<EmulatedCuda::Counts> counts_;
};

class EmulatedGraph final : public DeviceGraph {
 public:
  EmulatedGraph(std::function<void()> record, std::shared_ptr<EmulatedCuda::Counts> counts)
      : record_(std::move(record)), counts_(std::move(counts)) {}

  void replay() override {
    ++counts_->replays;
    record_();
  }

 private:
  std::function<void()> record_;
  std::shared_ptr<EmulatedCuda::Counts> counts_;
};

}  // namespace

std::vector<Module>& modules() {
  static std::vector<Module> all;
  return all;
}

std::unique_ptr<DeviceKernels> EmulatedCuda::compile(const std::string&, const std::vector<std::string>& definitions,
                                                     const at::Device&) {
  if (beforeCompile) beforeCompile();
  const Macros macros = parseMacros(definitions);
  const auto module = std::find_if(modules().begin(), modules().end(),
                                   [&](const Module& candidate) { return candidate.macros == macros; });
  if (module == modules().end()) throw std::runtime_error("no emulated module has" + joined(definitions));
  ++counts_->compiles;
  return std::make_unique<EmulatedKernels>(*module, counts_);
}

std::unique_ptr<DeviceGraph> EmulatedCuda::capture(const at::Device&, const std::function<void()>& record) {
  if (beforeCapture) beforeCapture();
  ++counts_->captures;
  return std::make_unique<EmulatedGraph>(record, counts_);
}

at::Tensor EmulatedCuda::pinned(at::IntArrayRef sizes, at::ScalarType type) {
  return pinsMemory ? at::empty(sizes, at::TensorOptions(type)) : at::Tensor();
}

}  // namespace torch_t5::emulator
