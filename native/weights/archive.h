// Reads TorchScript archives. Their code is checked before any of it runs, and is not compiled for their weights alone.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <array>
#include <span>
#include <string>
#include <vector>

#include "core/requests.h"
#include "weights/code_check.h"
#include "weights/weight_matrix.h"

namespace torch_t5 {

/// The methods of a T5 export.
enum class Method { kForward, kEncode, kPrefill, kStep, kClassify };

/// Their names in TorchScript.
inline constexpr std::array<const char*, 5> kMethodNames{"forward", "encode", "prefill", "step", "classify"};

/// The methods of a kind's export, at least one.
std::span<const Method> methodsOf(ModelKind kind);

/// The module of a T5 export, on the CPU. Each weight has the alignment that it had in Python.
/// Throws ERR_MODEL_NOT_FOUND; ERR_MODEL_CORRUPT if the file is not an archive or lacks one of the kind's methods;
/// ERR_MODEL_UNTRUSTED if it contains code that runs when it is loaded, or what `checkCode` refuses; ERR_OUT_OF_MEMORY;
/// ERR_ABORTED.
torch::jit::Module readArchive(const std::string& path, ModelKind kind);

/// The module of an export's archive of methods that return outputs of layers. It contains no weights: its methods are
/// bound to those of model.pt. `name` is its name in error messages. Throws the same errors as `readArchive`.
torch::jit::Module readLayerArchive(const std::string& path, const std::string& name);

/// A weight of an archive: in the file, or in memory if it is not float32 or not contiguous.
struct ArchivedWeight {
  std::string name;
  StoredNumbers stored;
  at::Tensor tensor;  // undefined: in the file
};

/// The weights of a T5 export: the tensors of its modules, by their names. The archive's code is not compiled, and none
/// of it can run, so it isn't checked either. The numbers are not read yet. Throws ERR_MODEL_NOT_FOUND;
/// ERR_MODEL_CORRUPT if the file is not an archive; ERR_MODEL_UNTRUSTED for a pickle with functions or classes other
/// than tensors, containers and classes of the archive; ERR_OUT_OF_MEMORY.
std::vector<ArchivedWeight> readArchivedWeights(const std::string& path);

/// Any TorchScript module, on the CPU. `name` is its name in error messages. Throws the same errors.
torch::jit::Module readTorchScript(const std::string& path, const std::string& name, CodePolicy policy);

}  // namespace torch_t5
