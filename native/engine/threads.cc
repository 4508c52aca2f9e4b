#include "engine/threads.h"

#include <ATen/Parallel.h>

#include <mutex>
#include <string>

#include "core/errors.h"
#include "core/platform/shared_library.h"

namespace torch_t5 {
namespace {

/// PyTorch's default count, read before anybody changes it: `at::set_num_threads` also becomes the default of threads
/// that start later.
int defaultIntraOpThreads() {
  static const int count = at::get_num_threads();
  return count;
}

std::mutex mutex;
int lastIntraOpThreads = 0;  // what this process set last; 0: nothing yet

}  // namespace

int resolveIntraOpThreads(int count) { return count == 0 ? defaultIntraOpThreads() : count; }

void disableIntraOpThreads() {
  defaultIntraOpThreads();
  // OpenMP's own function sets the calling thread's count alone, which at::set_num_threads does for MKL, too, and for
  // the whole process.
  using SetThreads = void (*)(int);
  static const auto setThreads = reinterpret_cast<SetThreads>(findFunction("omp_set_num_threads"));
  if (setThreads != nullptr) setThreads(1);
}

void setIntraOpThreads(int count) {
  const int wanted = resolveIntraOpThreads(count);
  const std::lock_guard lock(mutex);
  // Asking for the default leaves MKL's own settings alone, as a Python process that sets nothing does.
  if (count == 0 && lastIntraOpThreads == 0) return;
  if (lastIntraOpThreads == wanted && at::get_num_threads() == wanted) return;
  at::set_num_threads(wanted);
  lastIntraOpThreads = wanted;
}

void setInterOpThreads(int count) {
  if (count == 0) return;
  const std::lock_guard lock(mutex);
  static bool set = false;
  const int current = at::get_num_interop_threads();
  if (count == current) return;
  try {
    if (!set) {
      at::set_num_interop_threads(count);
      set = true;
      return;
    }
  } catch (...) {
    set = true;  // the pool already runs
  }
  throw Error(ErrorCode::kInvalidArgument, "Expected " + std::to_string(current) +
                                               " for interOpThreads (a process can set it once, before the first use) "
                                               "but received " +
                                               std::to_string(count));
}

int intraOpThreads() { return at::get_num_threads(); }

int interOpThreads() { return at::get_num_interop_threads(); }

}  // namespace torch_t5
