#include "core/platform/shared_library.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <filesystem>
#else
#include <dlfcn.h>
#endif

namespace torch_t5 {

#ifdef _WIN32

OpenedLibrary openLibrary(const std::string& path) {
  const std::filesystem::path wide(std::u8string(path.begin(), path.end()));
  // With a full path, dependencies are searched for in the library's own folder. A bare name (nvcuda.dll) uses the
  // system's search order.
  const DWORD flags = wide.is_absolute() ? LOAD_WITH_ALTERED_SEARCH_PATH : 0;
  if (void* handle = LoadLibraryExW(wide.c_str(), nullptr, flags)) return {handle, {}};
  const DWORD code = GetLastError();
  char text[512] = {};
  FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0, text, sizeof(text),
                 nullptr);
  return {nullptr, path + ": " + text + "(error " + std::to_string(code) + ")"};
}

void* findFunction(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

void* findFunction(const char*) { return nullptr; }

#else

OpenedLibrary openLibrary(const std::string& path) {
  if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return {handle, {}};
  const char* reason = dlerror();
  return {nullptr, reason == nullptr ? path : reason};
}

void* findFunction(void* library, const char* name) { return dlsym(library, name); }

void* findFunction(const char* name) { return dlsym(RTLD_DEFAULT, name); }

#endif

}  // namespace torch_t5
