// Old versions of system functions, so that a binary that is built on a newer Linux also runs on the oldest one that
// libtorch runs on: glibc 2.28, and the libstdc++ of GCC 8. Linked into each binary on x64 and arm64 with glibc
// (cmake/symbol_versions.cmake, which defines the first version of glibc for the processor).
//
// A hidden definition replaces the function of the shared library for the binary that contains it. It calls that
// function in an older version, which newer libraries still have. test/native/binary.spec.ts checks the versions of the
// binaries.

extern "C" {

// The functions of glibc in their first version: 2.34 moved those of libdl and libpthread to libc under a new
// version, 2.29 gave the others one because they set errno differently.
void* oldDlopen(const char* path, int flags);
void* oldDlsym(void* handle, const char* name);
char* oldDlerror();
int oldDladdr(const void* address, void* info);
int oldPthreadOnce(void* control, void (*function)());
int oldPthreadMutexTrylock(void* mutex);
double oldLog(double value);
double oldPow(double base, double exponent);
__asm__(".symver oldDlopen, dlopen@" TORCH_T5_FIRST_GLIBC);
__asm__(".symver oldDlsym, dlsym@" TORCH_T5_FIRST_GLIBC);
__asm__(".symver oldDlerror, dlerror@" TORCH_T5_FIRST_GLIBC);
__asm__(".symver oldDladdr, dladdr@" TORCH_T5_FIRST_GLIBC);
__asm__(".symver oldPthreadOnce, pthread_once@" TORCH_T5_FIRST_GLIBC);
__asm__(".symver oldPthreadMutexTrylock, pthread_mutex_trylock@" TORCH_T5_FIRST_GLIBC);
__asm__(".symver oldLog, log@" TORCH_T5_FIRST_GLIBC);
__asm__(".symver oldPow, pow@" TORCH_T5_FIRST_GLIBC);

// std::condition_variable::wait, which became noexcept in GCC 12.
void oldWait(void* condition, void* lock);
__asm__(".symver oldWait, _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");

// std::runtime_error's copy constructor, for its move constructor of GCC 9: the text is shared either way.
void copyRuntimeError(void* error, const void* other) __asm__("_ZNSt13runtime_errorC2ERKS_");

#pragma GCC visibility push(hidden)

void* dlopen(const char* path, int flags) noexcept { return oldDlopen(path, flags); }
void* dlsym(void* handle, const char* name) noexcept { return oldDlsym(handle, name); }
char* dlerror() noexcept { return oldDlerror(); }
int dladdr(const void* address, void* info) noexcept { return oldDladdr(address, info); }
int pthread_once(void* control, void (*function)()) { return oldPthreadOnce(control, function); }
int pthread_mutex_trylock(void* mutex) noexcept { return oldPthreadMutexTrylock(mutex); }
double log(double value) noexcept { return oldLog(value); }
double pow(double base, double exponent) noexcept { return oldPow(base, exponent); }

void wait(void* condition, void* lock) __asm__("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");
void wait(void* condition, void* lock) { oldWait(condition, lock); }

void moveRuntimeError(void* error, void* other) __asm__("_ZNSt13runtime_errorC2EOS_");
void moveRuntimeError(void* error, void* other) { copyRuntimeError(error, other); }

// Of glibc 2.32. libstdc++ counts references without atomics while it is true.
extern char __libc_single_threaded;
char __libc_single_threaded = 0;

#pragma GCC visibility pop
}
