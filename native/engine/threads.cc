#include "engine/threads.h"

#include <ATen/Parallel.h>

#include <mutex>
#include <string>

#include "core/errors.h"
#include "core/platform/shared_library.h"

namespace torch_t5 {
namespace {

/// PyTorch's default count, read before the first change: `at::set_num_threads` also changes the default of later
/// threads.
int defaultIntraOpThreads() {
  static const int count = at::get_num_threads();
  return count;
}

std::mutex mutex;
int lastIntraOpThreads = 0;  // the last count that this process set; 0: none yet

}  // namespace

int resolveIntraOpThreads(int count) { return count == 0 ? defaultIntraOpThreads() : count; }

void disableIntraOpThreads() {
  defaultIntraOpThreads();
  // OpenMP's own function changes the calling thread's count alone. at::set_num_threads changes MKL's as well, for the
  // whole process.
  using SetThreads = void (*)(int);
  static const auto setThreads = reinterpret_cast<SetThreads>(findFunction("omp_set_num_threads"));
  if (setThreads != nullptr) setThreads(1);
}

void setIntraOpThreads(int count) {
  const int resolved = resolveIntraOpThreads(count);
  const std::lock_guard lock(mutex);
  // The default leaves MKL's own settings alone, as in a Python process that sets no count.
  if (count == 0 && lastIntraOpThreads == 0) return;
  if (lastIntraOpThreads == resolved && at::get_num_threads() == resolved) return;
  at::set_num_threads(resolved);
  lastIntraOpThreads = resolved;
}

void setInterOpThreads(int count) {
  if (count == 0) return;
  const std::lock_guard lock(mutex);
  static bool isSet = false;
  const int current = at::get_num_interop_threads();
  if (count == current) return;
  try {
    if (!isSet) {
      at::set_num_interop_threads(count);
      isSet = true;
      return;
    }
  } catch (...) {
    isSet = true;  // the pool already runs
  }
  throw invalidArgument(std::to_string(current), "interOpThreads (a process can set it once, before the first use)",
                        count);
}

int intraOpThreads() { return defaultIntraOpThreads(); }

int interOpThreads() { return at::get_num_interop_threads(); }

}  // namespace torch_t5
