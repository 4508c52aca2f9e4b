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

std::string folderOf(const void* address) {
  HMODULE library = nullptr;
  const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  if (!GetModuleHandleExW(flags, static_cast<LPCWSTR>(address), &library)) return {};
  std::wstring path(32768, L'\0');  // characters; the longest path of Windows
  path.resize(GetModuleFileNameW(library, path.data(), static_cast<DWORD>(path.size())));
  const std::u8string folder = std::filesystem::path(path).parent_path().u8string();
  return {folder.begin(), folder.end()};
}

#else

OpenedLibrary openLibrary(const std::string& path) {
  if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return {handle, {}};
  const char* reason = dlerror();
  return {nullptr, reason == nullptr ? path : reason};
}

void* findFunction(void* library, const char* name) { return dlsym(library, name); }

void* findFunction(const char* name) { return dlsym(RTLD_DEFAULT, name); }

std::string folderOf(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string path = info.dli_fname;
  return path.substr(0, path.find_last_of('/'));
}

#endif

}  // namespace torch_t5
