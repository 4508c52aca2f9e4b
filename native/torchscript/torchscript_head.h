// A user's head: a TorchScript module with one method, `forward`.
#pragma once

#include <memory>
#include <string>

#include "engine/head.h"

namespace torch_t5 {

/// Loads the archive to `device`, in evaluation mode. Call it, and run the head, under inference mode.
/// Its `forward` takes, by name, any of `logits`, `encoder_last_hidden_state`, `decoder_last_hidden_state`,
/// `attention_mask` and `labels` (in camelCase as well), or one `Dict[str, Tensor]` of them by their camelCase names,
/// and returns a tensor. Throws ERR_MODEL_NOT_FOUND, ERR_MODEL_UNTRUSTED, and ERR_MODEL_CORRUPT for anything else.
std::unique_ptr<Head> loadTorchScriptHead(const std::string& path, const at::Device& device);

}  // namespace torch_t5
