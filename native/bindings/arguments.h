// JavaScript arguments as plain structs. lib/ has validated them with better messages: what is checked here is what
// memory safety needs.
#pragma once

#include <napi.h>

#include <cstdint>

#include "types.h"

namespace torch_t5 {

/// Throw ERR_INVALID_ARGUMENT. Arrays are copied: the caller may change them as soon as this returns.
LoadOptions toLoadOptions(const Napi::CallbackInfo& info);
ForwardRequest toForwardRequest(const Napi::CallbackInfo& info);

/// The `id` of the call, from the request object or the argument itself.
std::uint64_t toCallId(const Napi::Value& value);

}  // namespace torch_t5
