// Memory that is cheap to touch for the first time.
#pragma once

#include <cstddef>

namespace torch_t5 {

/// Asks the system to back the whole huge pages of a range with such. A hint: where there are none nothing changes.
void preferHugePages(void* begin, std::size_t bytes);

}  // namespace torch_t5
