// A method of the archive, compiled for libtorch's interpreter.
//
// TorchScript's usual path (Method::operator()) profiles the first calls and then specializes the graph for the shapes
// that it saw: the first calls are slow, new shapes recompile, and fusions may change the last bit. A TracedMethod runs
// the traced graph directly in the interpreter: the same operators at every call and for every shape.
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

/// The archive's tensors on the device. A weight that several methods use, or that is tied to another, is copied once.
class DeviceTensors {
 public:
  explicit DeviceTensors(const c10::Device& device) : device_(device) {}

  /// The tensor on the device.
  at::Tensor place(const at::Tensor& tensor);

  const c10::Device& device() const { return device_; }

 private:
  c10::Device device_;
  // By the original's address: pairs of an original and its copy.
  std::unordered_map<const void*, std::vector<std::pair<at::Tensor, at::Tensor>>> placed_;
};

class TracedMethod {
 public:
  /// Inlines the method of `code`, remaps its device constants and binds the weights of `weights`, whose attributes
  /// have the same names. Throws ERR_MODEL_CORRUPT if `weights` lacks an attribute that the method reads.
  TracedMethod(const torch::jit::Module& code, const std::string& name, const torch::jit::Module& weights,
               DeviceTensors& tensors);

  /// Returns a tensor or a tuple. Throws ERR_ABORTED, and what the interpreter throws.
  c10::IValue run(std::vector<c10::IValue> arguments) const;

 private:
  // Keeps alive the functions that the graph's nodes were inlined from: the interpreter's error messages name them.
  std::shared_ptr<torch::jit::CompilationUnit> functions_;
  std::shared_ptr<torch::jit::Graph> graph_;
  torch::jit::Code code_;
};

}  // namespace torch_t5
