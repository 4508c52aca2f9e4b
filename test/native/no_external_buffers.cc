// Linked instead of napi_create_external_arraybuffer: the answer of a runtime that has no external memory.
#include <node_api.h>

#include <cstddef>

extern "C" napi_status __wrap_napi_create_external_arraybuffer(napi_env, void*, std::size_t, napi_finalize, void*,
                                                               napi_value*) {
  return napi_no_external_buffers_allowed;
}
