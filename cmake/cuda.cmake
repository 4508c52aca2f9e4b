# A library that uses CUDA, beside torch_t5.node. It is built if libtorch has CUDA and CUDA's headers are found: those
# that Python's packages nvidia-cuda-runtime and nvidia-cuda-crt install beside torch, or those of a CUDA toolkit.

# Sets `variable` to the first folder with all headers that libtorch's CUDA headers include, or to "".
function(find_cuda_headers variable)
  set(nvidia "${TORCH_T5_LIBTORCH}/../nvidia")
  file(GLOB packages "${nvidia}/cu[0-9]*/include")
  set(${variable} "" PARENT_SCOPE)
  foreach(folder IN ITEMS ${packages} "${nvidia}/cuda_runtime/include" "$ENV{CUDA_HOME}/include"
          "$ENV{CUDA_PATH}/include" "/usr/local/cuda/include")
    if(EXISTS "${folder}/cuda.h" AND EXISTS "${folder}/cuda_runtime.h" AND EXISTS "${folder}/crt/host_defines.h")
      set(${variable} "${folder}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# add_cuda_library(name sources...): a library that is opened at run time. Where it can't be built, prints why.
function(add_cuda_library name)
  set(libraries libtorch_cuda.so libc10_cuda.so)
  if(WIN32)
    set(libraries torch_cuda.lib c10_cuda.lib)
  endif()
  list(TRANSFORM libraries PREPEND "${TORCH_T5_LIBTORCH}/lib/")
  list(GET libraries 0 libtorch_cuda)
  find_cuda_headers(headers)
  set(reason "")
  if(NOT EXISTS "${libtorch_cuda}")
    set(reason "this libtorch has no CUDA")
  elseif(NOT headers)
    set(reason "no CUDA headers were found. For models on a GPU, install the Python packages nvidia-cuda-runtime and \
nvidia-cuda-crt beside torch, or set CUDA_HOME to a CUDA toolkit")
  endif()
  if(reason)
    message(STATUS "${name} is not built: ${reason}.")
    if(CMAKE_LIBRARY_OUTPUT_DIRECTORY)
      # One of an earlier build does not fit the addon.
      file(REMOVE "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/${name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
    endif()
    return()
  endif()
  message(STATUS "${name}: CUDA headers of ${headers}")

  add_library(${name} MODULE ${ARGN})
  # libtorch is opened before this library, from any folder, so the binary needs no path.
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX "${CMAKE_SHARED_LIBRARY_SUFFIX}" SKIP_BUILD_RPATH ON
    WINDOWS_EXPORT_ALL_SYMBOLS ON)
  use_old_symbol_versions(${name})
  target_include_directories(${name} PRIVATE native)
  target_include_directories(${name} SYSTEM PRIVATE "${headers}")
  target_compile_definitions(${name} PRIVATE TORCH_T5_LIBTORCH_VERSION="${TORCH_T5_LIBTORCH_VERSION}")
  target_link_libraries(${name} PRIVATE ${libraries} libtorch)
  # The CUDA runtime is the one that libtorch_cuda links to, of any version, so it is not named. Windows needs its
  # import library.
  if(WIN32)
    target_link_libraries(${name} PRIVATE "${headers}/../lib/x64/cudart.lib")
  else()
    target_compile_options(${name} PRIVATE "-ffile-prefix-map=${headers}=cuda")
    # Never unloaded, because libtorch's allocator keeps functions of it. The linker must keep libtorch_cuda, which
    # leads to the CUDA runtime.
    target_link_options(${name} PRIVATE -Wl,--no-as-needed -Wl,-z,nodelete)
  endif()
endfunction()
