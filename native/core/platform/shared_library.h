// Opens shared libraries at run time on every platform. Knows neither libtorch nor Node.
#pragma once

#include <string>

namespace torch_t5 {

struct OpenedLibrary {
  void* handle = nullptr;  // null when it can't be opened
  std::string error;       // the loader's own words, then
};

/// Opens the library for the life of the process, its symbols visible to libraries opened later. `path`: UTF-8.
OpenedLibrary openLibrary(const std::string& path);

/// The address of a function of an opened library, or null.
void* findFunction(void* library, const char* name);

/// The address of a function of any library that was opened with its symbols visible, or null; always null on Windows.
void* findFunction(const char* name);

}  // namespace torch_t5
