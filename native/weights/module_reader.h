// Makes a TorchScript module of an archive, as torch::jit::load does, but with storages that the caller provides.
#pragma once

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/storage_context.h>

#include <memory>

namespace torch_t5 {

/// Compiles the archive's code and unpickles its data on the CPU. `storages` holds every tensor of the folder `data/`.
torch::jit::Module readModule(caffe2::serialize::PyTorchStreamReader& reader,
                              std::shared_ptr<torch::jit::DeserializationStorageContext> storages);

}  // namespace torch_t5
