// Checks a pickle before libtorch's unpickler reads it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

namespace torch_t5 {

/// Whether a text is the name of a type, as the archive's pickles contain it: `__torch__.a.B`, `Dict[str, Tensor]`.
bool isTypeName(std::string_view text);

/// Follows the instructions of a pickle without making its values. `storages`: the names of the tensors' data.
///
/// libtorch's unpickler trusts the order of instructions, and frees nested values recursively. This admits only what
/// torch.jit.save writes: instructions with the operands that they need, 64 levels of containers, containers that
/// don't change after they were used, and 5 million values, counted as often as they are used.
///
/// Throws ERR_MODEL_UNTRUSTED for a function or class other than tensors, lists and classes of the archive;
/// std::runtime_error, whose text is the reason, for everything else.
void checkPickle(std::string_view pickle, const std::unordered_set<std::string>& storages);

}  // namespace torch_t5
