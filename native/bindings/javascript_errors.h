// Native errors as JavaScript errors. lib/native.ts turns them into T5Error, with the caller's stack.
#pragma once

#include <napi.h>

#include "core/errors.h"

namespace torch_t5 {

/// An Error with the message and the `code`.
Napi::Error toJavaScript(Napi::Env env, const Error& error);

/// Runs `body` and throws what it throws as a JavaScript error: nothing else crosses the C boundary.
template <class Body>
auto withErrors(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw toJavaScript(env, error);
  } catch (const std::bad_alloc&) {
    throw toJavaScript(env, Error(ErrorCode::kOutOfMemory, "The process is out of memory"));
  }
}

}  // namespace torch_t5
