# use_old_symbol_versions(target): binds system functions to versions that the oldest supported Linux has, on x64 and
# arm64 with glibc. Other systems have one version of each.
#
# Not where the compiler links libstdc++ statically: such a binary contains the newer functions itself.
include(CheckCXXSymbolExists)
check_cxx_symbol_exists(__GLIBC__ "features.h" TORCH_T5_HAS_GLIBC)

# The version of the functions of the first glibc for the processor.
set(first_glibc_x86_64 "GLIBC_2.2.5")
set(first_glibc_aarch64 "GLIBC_2.17")
set(first_glibc "${first_glibc_${CMAKE_SYSTEM_PROCESSOR}}")
set(first_glibc_definition "TORCH_T5_FIRST_GLIBC=\"${first_glibc}\"")
set_source_files_properties(${symbol_versions_source} PROPERTIES COMPILE_DEFINITIONS "${first_glibc_definition}")

if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND first_glibc AND TORCH_T5_HAS_GLIBC)
  try_compile(TORCH_T5_LINKS_OLD_VERSIONS ${CMAKE_BINARY_DIR}/symbol_versions
    SOURCES ${symbol_versions_source} ${CMAKE_CURRENT_LIST_DIR}/symbol_versions_test.cc
    CMAKE_FLAGS -DCMAKE_POSITION_INDEPENDENT_CODE=ON
    COMPILE_DEFINITIONS "-D${first_glibc_definition}")
endif()

function(use_old_symbol_versions target)
  if(TORCH_T5_LINKS_OLD_VERSIONS)
    target_sources(${target} PRIVATE ${symbol_versions_source})
  endif()
endfunction()
