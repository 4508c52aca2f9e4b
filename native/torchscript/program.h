// One method of the archive, compiled for libtorch's interpreter.
//
// TorchScript's usual path (Method::operator()) profiles the first calls and then specialises the graph to the shapes
// it saw: slow first calls, new code for new shapes, and fusions that may change the last bit. A program goes straight
// to the interpreter instead: what was traced is what runs, at every call and for every shape.
#pragma once

#include <ATen/core/ivalue.h>
#include <c10/core/Device.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace torch_t5 {

/// The archive's tensors, moved to the device: a weight that several methods use, or that is tied to another, is moved
/// once.
class DeviceTensors {
 public:
  explicit DeviceTensors(const c10::Device& device) : device_(device) {}

  at::Tensor place(const at::Tensor& tensor);
  const c10::Device& device() const { return device_; }

 private:
  c10::Device device_;
  std::unordered_map<const void*, std::vector<std::pair<at::Tensor, at::Tensor>>> placed_;  // by address: from, to
};

class Program {
 public:
  /// Inlines the method, remaps its device constants and binds its weights.
  Program(const torch::jit::Module& module, const std::string& method, DeviceTensors& tensors);

  /// Runs it; the result is a tensor or a tuple.
  c10::IValue run(std::vector<c10::IValue> arguments) const;

 private:
  // The graph's nodes point to the functions that they were inlined from, and an error of the interpreter names those.
  std::shared_ptr<torch::jit::CompilationUnit> functions_;
  std::shared_ptr<torch::jit::Graph> graph_;
  torch::jit::Code code_;
};

}  // namespace torch_t5
