# use_old_symbol_versions(target): binds system functions to versions that the oldest supported Linux has, on x64 with
# glibc. Other systems have one version of each.
include(CheckCXXSymbolExists)
check_cxx_symbol_exists(__GLIBC__ "features.h" TORCH_T5_HAS_GLIBC)

function(use_old_symbol_versions target)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND TORCH_T5_HAS_GLIBC)
    target_sources(${target} PRIVATE ${symbol_versions_source})
  endif()
endfunction()
