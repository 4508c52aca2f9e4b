// Files by their names in UTF-8. Not std::filesystem::path, which the libstdc++ of the oldest supported systems lacks.
#pragma once

#include <fstream>
#include <string>

namespace torch_t5 {

bool fileExists(const std::string& path);

/// Whether the path is that of a file, not of a folder or a device.
bool isRegularFile(const std::string& path);

std::ifstream openBinaryFile(const std::string& path);

/// The path of a file in a folder.
std::string pathIn(const std::string& folder, const std::string& name);

}  // namespace torch_t5
