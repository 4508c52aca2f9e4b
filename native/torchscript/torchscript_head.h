// A head as a TorchScript module with one method, `forward`.
#pragma once

#include <memory>
#include <string>

#include "engine/head.h"
#include "weights/code_check.h"

namespace torch_t5 {

/// Loads the archive to `device`, in evaluation mode. Call it, and run the head, in inference mode.
/// Its `forward` takes, by name, any of `logits`, `encoder_last_hidden_state`, `decoder_last_hidden_state`,
/// `attention_mask` and `labels` (camelCase is accepted as well), or one `Dict[str, Tensor]` with the camelCase names
/// as keys, and returns a tensor. Throws ERR_MODEL_NOT_FOUND; ERR_MODEL_UNTRUSTED for operators that the policy doesn't
/// allow and for code that runs when it is loaded; ERR_MODEL_CORRUPT for another module.
std::unique_ptr<Head> loadTorchScriptHead(const std::string& path, CodePolicy policy, const at::Device& device);

}  // namespace torch_t5
