# Embeds the CUDA kernels: writes a source file with `stepKernelsSource()`, their texts one after the other. The compiler
# that reads them at run time has no files to include, so that the lines with #include and #pragma once are dropped.
set(step_kernels
  step_row.h
  launch_sizes.h
  element.cuh
  early_start.cuh
  reduce.cuh
  rank.cuh
  norm.cuh
  activation.cuh
  embed.cuh
  attention.cuh
  choose.cuh
  linear.cuh
  linear_inputs.cuh
  linear_kernels.cuh
)

set(text "")
foreach(name IN LISTS step_kernels)
  set(file "${CMAKE_CURRENT_SOURCE_DIR}/native/aten/kernels/${name}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(READ "${file}" kernels)
  string(REGEX REPLACE "#(include|pragma once)[^\n]*\n" "\n" kernels "${kernels}")
  string(LENGTH "${kernels}" length)
  if(length GREATER 16000)
    message(FATAL_ERROR "Expected at most 16000 characters, the limit of a literal, in ${file}")
  endif()
  string(APPEND text "    R\"cuda(${kernels})cuda\",\n")
endforeach()

set(step_kernels_source "${CMAKE_CURRENT_BINARY_DIR}/step_kernels_source.cc")
file(CONFIGURE OUTPUT "${step_kernels_source}" @ONLY CONTENT [[
// Written by cmake/cuda_kernels.cmake.
#include "aten/kernels/step_kernels_source.h"

namespace torch_t5 {
namespace {

constexpr const char* kTexts[] = {
@text@};

}  // namespace

std::string stepKernelsSource() {
  std::string source;
  for (const char* text : kTexts) source += text;
  return source;
}

}  // namespace torch_t5
]])
target_sources(torch_t5_core PRIVATE "${step_kernels_source}")
