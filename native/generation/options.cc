#include "generation/options.h"

#include <limits>

#include "core/errors.h"

namespace torch_t5 {
namespace {

void expectAtLeast(const char* name, std::int64_t received, std::int64_t least) {
  if (received >= least && received <= std::numeric_limits<std::int32_t>::max()) return;
  throw Error(ErrorCode::kInvalidArgument, "Expected an integer of at least " + std::to_string(least) + " for " + name +
                                               " but received " + std::to_string(received));
}

}  // namespace

void check(const GenerationOptions& options, std::int64_t promptLength) {
  expectAtLeast("maxLength", options.maxLength, promptLength + 1);
  expectAtLeast("numBeams", options.numBeams, 1);
  expectAtLeast("numReturnSequences", options.numReturnSequences, 1);
  if (options.numBeams == 1) return;
  if (options.numReturnSequences > options.numBeams) {
    throw Error(ErrorCode::kInvalidArgument, "Expected at most " + std::to_string(options.numBeams) +
                                                 " (numBeams) for numReturnSequences but received " +
                                                 std::to_string(options.numReturnSequences));
  }
}

}  // namespace torch_t5
