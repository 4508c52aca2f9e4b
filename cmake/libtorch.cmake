# The target `libtorch`: libtorch_cpu and libc10 by path. TorchConfig.cmake is not used, because it requires a CUDA
# toolkit if libtorch has CUDA, and only native/cuda, which is optional, includes CUDA headers.
if(NOT EXISTS "${TORCH_T5_LIBTORCH}/include/ATen/ATen.h")
  message(FATAL_ERROR
    "Expected a libtorch (a folder with include/ATen/ATen.h) for TORCH_T5_LIBTORCH but received \"${TORCH_T5_LIBTORCH}\". "
    "`npm run setup` in a checkout, or `npx torch-t5 setup`, downloads one and builds with it.")
endif()

file(GLOB_RECURSE version_headers
  "${TORCH_T5_LIBTORCH}/include/torch/headeronly/version.h"
  "${TORCH_T5_LIBTORCH}/include/torch/csrc/api/include/torch/version.h")
foreach(header IN LISTS version_headers)
  file(READ "${header}" text)
  if(text MATCHES "TORCH_VERSION[ \t\\\r\n]+\"([0-9]+\\.[0-9]+\\.[0-9]+)")
    set(TORCH_T5_LIBTORCH_VERSION "${CMAKE_MATCH_1}")
  endif()
endforeach()
if(NOT TORCH_T5_LIBTORCH_VERSION)
  message(FATAL_ERROR
    "Expected a libtorch whose headers state its version for TORCH_T5_LIBTORCH but received \"${TORCH_T5_LIBTORCH}\"")
endif()
message(STATUS "libtorch ${TORCH_T5_LIBTORCH_VERSION}: ${TORCH_T5_LIBTORCH}")

add_library(libtorch INTERFACE)
target_include_directories(libtorch SYSTEM INTERFACE
  "${TORCH_T5_LIBTORCH}/include"
  "${TORCH_T5_LIBTORCH}/include/torch/csrc/api/include")
foreach(name IN ITEMS torch_cpu c10)
  if(WIN32)
    target_link_libraries(libtorch INTERFACE "${TORCH_T5_LIBTORCH}/lib/${name}.lib")
  else()
    target_link_libraries(libtorch INTERFACE
      "${TORCH_T5_LIBTORCH}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}${name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
  endif()
endforeach()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  # A CUDA build of libtorch_cpu depends on libraries that are found at run time only.
  target_link_options(libtorch INTERFACE -Wl,--allow-shlib-undefined)
endif()
if(NOT MSVC)
  # Checks in libtorch's headers contain the path of their file, which must not be in the binary.
  target_compile_options(libtorch INTERFACE
    "-ffile-prefix-map=${TORCH_T5_LIBTORCH}=libtorch" "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=torch-t5")
endif()
