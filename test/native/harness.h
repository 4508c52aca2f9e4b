// A minimal test runner: `program --list` prints the names of the tests, `program name [arguments]` runs one. The exit
// status is 0 if it passes, 1 if it fails, and 2 for an unknown name.
#pragma once

#include <cstdio>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

namespace torch_t5::test {

struct Test {
  const char* name;
  void (*run)(std::span<char*> arguments);
};

inline void expect(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error("expected " + what);
}

inline int runNamed(std::span<const Test> tests, int argc, char** argv) {
  if (argc < 2 || std::strcmp(argv[1], "--list") == 0) {
    for (const Test& test : tests) std::puts(test.name);
    return argc < 2 ? 2 : 0;
  }
  for (const Test& test : tests) {
    if (std::strcmp(argv[1], test.name) != 0) continue;
    try {
      test.run({argv + 2, argv + argc});
      return 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", test.name, error.what());
      return 1;
    }
  }
  std::fprintf(stderr, "no test is named %s\n", argv[1]);
  return 2;
}

}  // namespace torch_t5::test
