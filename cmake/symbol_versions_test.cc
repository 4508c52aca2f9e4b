// A program with the functions of libstdc++ whose older versions native/core/platform/symbol_versions.cc asks for.
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

int main(int argc, char**) {
  std::runtime_error error("moved");
  const std::runtime_error moved(std::move(error));
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_lock<std::mutex> lock(mutex);
  while (argc > 1) changed.wait(lock);
  return moved.what()[0] == 'm' ? 0 : 1;
}
