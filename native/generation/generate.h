// One generation, from what JavaScript asked for.
#pragma once

#include <memory>
#include <vector>

#include "generation/search.h"

namespace torch_t5 {

struct GenerateRequest {
  EncoderSource source;
  std::int64_t targetLength = 0;
  std::vector<std::int32_t> decoderInputIds;  // [source rows, targetLength]
  GenerationOptions options;
  std::shared_ptr<const TokenTexts> texts;  // null: no stop strings
};

/// Encodes what isn't yet, and prepares the search. Throws ERR_INVALID_ARGUMENT and what the engine throws.
std::unique_ptr<Search> startSearch(Engine& engine, const GenerateRequest& request);

/// From the source to the last token.
GenerateResult runGenerate(Engine& engine, const GenerateRequest& request);

}  // namespace torch_t5
