// Long computations over rows, in sections.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/cancellation.h"
#include "core/interlude.h"

namespace torch_t5 {

/// Calls `compute(first, count)` for one section of `rows` rows after another. Checks for cancellation before each, and
/// offers an interlude between two.
template <class Compute>
void forEachSection(std::int64_t rows, std::int64_t rowsPerSection, Compute&& compute) {
  for (std::int64_t first = 0; first < rows; first += rowsPerSection) {
    if (first > 0) InterludeScope::offer();
    CancellationScope::check();
    compute(first, std::min(rowsPerSection, rows - first));
  }
}

}  // namespace torch_t5
