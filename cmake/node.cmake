# add_node_addon(name sources...): a Node-API module `name.node`. cmake-js provides the paths of Node's headers and of
# node-addon-api.
function(add_node_addon name)
  add_library(${name} MODULE ${ARGN} ${CMAKE_JS_SRC})
  # libtorch is opened before the addon, from any folder, so the binary needs no path.
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".node" SKIP_BUILD_RPATH ON)
  target_include_directories(${name} SYSTEM PRIVATE ${CMAKE_JS_INC})
  # In a worker that is being terminated nothing can be thrown: such exceptions are ignored.
  target_compile_definitions(${name} PRIVATE NAPI_VERSION=8 NODE_ADDON_API_CPP_EXCEPTIONS
    NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)
  target_link_libraries(${name} PRIVATE ${CMAKE_JS_LIB})
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    # Never unloaded. Node unloads an addon with the last worker that uses it, but libtorch keeps pointers into this
    # one.
    target_link_options(${name} PRIVATE -Wl,-z,nodelete)
  endif()
  if(APPLE)
    target_link_options(${name} PRIVATE -undefined dynamic_lookup)
  endif()
endfunction()

if(MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
  execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET}
    ${CMAKE_STATIC_LINKER_FLAGS})
endif()
