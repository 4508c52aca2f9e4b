// Opens shared libraries at run time, on every platform. Depends on neither libtorch nor Node.
#pragma once

#include <string>

namespace torch_t5 {

struct OpenedLibrary {
  void* handle = nullptr;  // null if the library could not be opened
  std::string error;       // the loader's message in that case
};

/// Opens the library for the rest of the process. Libraries that are opened later see its symbols. `path`: UTF-8.
OpenedLibrary openLibrary(const std::string& path);

/// The address of a function of an opened library, or null if it has none of that name.
void* findFunction(void* library, const char* name);

/// The address of a function in any library whose symbols are visible, or null. Always null on Windows.
void* findFunction(const char* name);

/// The folder of the library or program that contains an address, in UTF-8; empty if it is unknown.
std::string folderOf(const void* address);

}  // namespace torch_t5
