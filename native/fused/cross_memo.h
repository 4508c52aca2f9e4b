// The cross keys and values that were computed last, for decoders that begin on the same rows of an encoder's output.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.h"
#include "fused/kv_cache.h"

namespace torch_t5 {

class CrossMemo {
 public:
  /// The rows of an encoder's output that a source reads, each once.
  struct Rows {
    at::Tensor encoderRows;                   // int64; undefined: all, in their order
    std::vector<std::int64_t> sources;        // for each decoded row, which of them it reads
    std::shared_ptr<const CrossCache> cache;  // null where it isn't known
  };

  Rows rowsOf(const DecoderSource& source) const;

  /// Remembers the cache, as long as the encoder's output and some decoder's cache live.
  void keep(const DecoderSource& source, const Rows& rows);

 private:
  std::weak_ptr<const EncoderOutput> encoderOutput_;
  at::Tensor encoderRows_;
  std::weak_ptr<const CrossCache> cache_;
};

}  // namespace torch_t5
