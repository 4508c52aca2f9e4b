#include "engine/libtorch_errors.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace torch_t5 {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The interpreter puts a traceback of the traced Python code before the message. The message follows the last of these
/// markers.
std::string_view withoutTraceback(std::string_view text) {
  for (const std::string_view marker : {"RuntimeError: ", "NotImplementedError: ", "IndexError: "}) {
    if (const std::size_t begin = text.rfind(marker); begin != std::string_view::npos)
      return text.substr(begin + marker.size());
  }
  return text;
}

/// Removes the source location and the condition from a message such as
/// `[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: ...`.
std::string_view withoutSource(std::string_view text) {
  if (!text.starts_with("[enforce fail at ")) return text;
  const std::size_t end = text.find(". ");
  return end == std::string_view::npos ? text : text.substr(end + 2);
}

std::string firstSentence(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view sentence = line.substr(0, line.find(". "));
  return std::string(sentence.empty() ? "libtorch gave no reason" : sentence);
}

Error describe(std::string_view text) {
  const std::string reason = firstSentence(withoutSource(withoutTraceback(text)));
  const bool outOfMemory =
      contains(text, "can't allocate memory") || contains(text, "not enough memory") || contains(text, "out of memory");
  return {outOfMemory ? ErrorCode::kOutOfMemory : ErrorCode::kInternal, reason};
}

}  // namespace

Error describeCurrentException() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const c10::OutOfMemoryError& error) {
    return {ErrorCode::kOutOfMemory, firstSentence(error.what_without_backtrace())};
  } catch (const c10::Error& error) {
    return describe(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kOutOfMemory, "The process is out of memory"};
  } catch (const std::exception& error) {
    return describe(error.what());
  } catch (...) {
    return {ErrorCode::kInternal, "An exception that is not a std::exception was thrown"};
  }
}

}  // namespace torch_t5
