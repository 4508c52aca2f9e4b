# The flags of `torch_t5_kernels`. Each of its files is compiled for a different instruction set; the program chooses
# one at run time.
include(CheckCXXCompilerFlag)
target_include_directories(torch_t5_kernels PRIVATE native)

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
if(processor MATCHES "x86_64|amd64" AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
  set(folder native/fused/kernels)
  if(MSVC)
    set_source_files_properties(${folder}/avx2.cc PROPERTIES COMPILE_OPTIONS "/arch:AVX2")
    set_source_files_properties(${folder}/avx512.cc ${folder}/avx512_bf16.cc PROPERTIES COMPILE_OPTIONS "/arch:AVX512")
  else()
    set(avx2 -mavx2 -mfma)
    set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
    set(avx512Bf16 ${avx512} -mavx512vnni -mavx512bf16)
    set_source_files_properties(${folder}/avx2.cc PROPERTIES COMPILE_OPTIONS "${avx2}")
    set_source_files_properties(${folder}/avx512.cc PROPERTIES COMPILE_OPTIONS "${avx512}")
    set_source_files_properties(${folder}/avx512_bf16.cc PROPERTIES COMPILE_OPTIONS
      "${avx512Bf16}")
    check_cxx_compiler_flag("-mamx-tile -mamx-bf16 -mamx-int8" hasAmx)
    if(hasAmx)
      set_source_files_properties(${folder}/avx512_amx.cc PROPERTIES COMPILE_OPTIONS
        "${avx512Bf16};-mamx-tile;-mamx-bf16;-mamx-int8")
    endif()
  endif()
endif()
if(NOT MSVC AND (processor MATCHES "aarch64|arm64" OR CMAKE_OSX_ARCHITECTURES MATCHES "arm64"))
  set(folder native/fused/kernels)
  set(dotProduct -march=armv8.2-a+dotprod)
  set(matrix ${dotProduct}+bf16+i8mm)
  check_cxx_compiler_flag(${dotProduct} hasDotProduct)
  if(hasDotProduct)
    set_source_files_properties(${folder}/neon_dotprod.cc PROPERTIES COMPILE_OPTIONS ${dotProduct})
  endif()
  check_cxx_compiler_flag(${matrix} hasMatrix)
  if(hasMatrix)
    set_source_files_properties(${folder}/neon_matrix.cc PROPERTIES COMPILE_OPTIONS ${matrix})
  endif()
  # Every arm64 processor has FMA. The compiler would use it for some sums of products but not for others, and the bits of
  # a row would depend on its batch.
  target_compile_options(torch_t5_kernels PRIVATE -ffp-contract=off)
  # It would also round an int8 weight differently from other processors.
  set_source_files_properties(native/fused/packed_matrix.cc PROPERTIES COMPILE_OPTIONS -ffp-contract=off)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC would load panels so early that accumulators no longer fit into the registers.
    target_compile_options(torch_t5_kernels PRIVATE -fno-schedule-insns)
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
