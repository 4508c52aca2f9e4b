// libtorch's thread counts. Some are per process, some per thread.
#pragma once

namespace torch_t5 {

/// Sets the number of threads of the operators that this thread calls. OpenMP stores the count per thread and MKL per
/// process, so call this on the computing thread before each computation; it is free if nothing has changed. 0:
/// PyTorch's default, `torch.get_num_threads()` in Python.
void setIntraOpThreads(int count);

/// Runs the operators that this thread calls on this thread alone, for an engine with its own thread pool: OpenMP's
/// threads keep spinning after each operator, and would occupy that pool's cores. Changes neither other threads' counts
/// nor MKL's.
void disableIntraOpThreads();

/// The count that `setIntraOpThreads(count)` sets.
int resolveIntraOpThreads(int count);

/// Sets the size of the pool that runs independent operators, once per process. 0 changes nothing.
/// Throws ERR_INVALID_ARGUMENT if the pool was set to another size before, or already runs with one.
void setInterOpThreads(int count);

/// PyTorch's default number of threads per operator, and the size of the pool that runs independent operators.
int intraOpThreads();
int interOpThreads();

}  // namespace torch_t5
