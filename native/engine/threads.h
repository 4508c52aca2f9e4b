// libtorch's thread counts, which are partly the process's and partly each thread's.
#pragma once

namespace torch_t5 {

/// Sets how many threads the operators that this thread calls may use. OpenMP keeps that setting per thread and MKL per
/// process, so call it on the thread that computes, before each computation; it costs nothing when nothing changed. 0:
/// PyTorch's default, as `torch.get_num_threads()` in Python has it.
void setIntraOpThreads(int count);

/// Keeps the operators that this thread calls on this thread alone, for an engine that has threads of its own: OpenMP's
/// would go on spinning behind each operator, and take the cores from them. Leaves other threads' settings, and MKL's,
/// as they are.
void disableIntraOpThreads();

/// The count that `setIntraOpThreads(count)` would set.
int resolveIntraOpThreads(int count);

/// Sets the size of the pool between operators, once per process. 0 leaves it as it is.
/// Throws ERR_INVALID_ARGUMENT when it was already set to, or is in use with, another size.
void setInterOpThreads(int count);

int intraOpThreads();
int interOpThreads();

}  // namespace torch_t5
