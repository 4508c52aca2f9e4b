# The flags of `torch_t5_kernels`. Each of its files is compiled for a different instruction set; the program chooses
# one at run time.
include(CheckCXXCompilerFlag)
target_include_directories(torch_t5_kernels PRIVATE native)

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
if(processor MATCHES "x86_64|amd64" AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
  set(folder native/fused/kernels)
  if(MSVC)
    set_source_files_properties(${folder}/avx2.cc ${folder}/avx2_vnni.cc PROPERTIES COMPILE_OPTIONS "/arch:AVX2")
    set_source_files_properties(${folder}/avx512.cc ${folder}/avx512_bf16.cc PROPERTIES COMPILE_OPTIONS "/arch:AVX512")
  else()
    set(avx2 -mavx2 -mfma)
    set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
    set(avx512Bf16 ${avx512} -mavx512vnni -mavx512bf16)
    set_source_files_properties(${folder}/avx2.cc PROPERTIES COMPILE_OPTIONS "${avx2}")
    set_source_files_properties(${folder}/avx512.cc PROPERTIES COMPILE_OPTIONS "${avx512}")
    set_source_files_properties(${folder}/avx512_bf16.cc PROPERTIES COMPILE_OPTIONS
      "${avx512Bf16}")
    check_cxx_compiler_flag("-mavxvnni" hasAvxVnni)
    if(hasAvxVnni)
      set_source_files_properties(${folder}/avx2_vnni.cc PROPERTIES COMPILE_OPTIONS "${avx2};-mavxvnni")
    endif()
    check_cxx_compiler_flag("-mamx-tile -mamx-bf16 -mamx-int8" hasAmx)
    if(hasAmx)
      set_source_files_properties(${folder}/avx512_amx.cc PROPERTIES COMPILE_OPTIONS
        "${avx512Bf16};-mamx-tile;-mamx-bf16;-mamx-int8")
    endif()
  endif()
endif()
if(NOT MSVC)
  # Operands are written as floats, bfloat16 or bytes, and read as 32-bit words.
  target_compile_options(torch_t5_kernels PRIVATE -fno-strict-aliasing)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC's own AVX-512 headers trigger these warnings.
  target_compile_options(torch_t5_kernels PRIVATE -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
