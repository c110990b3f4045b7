# Seedbed::torch: LibTorch 2.11 for the CPU as one imported target.
#
# The wheel's own TorchConfig.cmake fails on a machine without CUDA, so it is never run. SEEDBED_TORCH_ROOT is any
# unpacked LibTorch 2.11 (the folder that holds include/ and lib/); `./dev` passes the one it unpacked.
include_guard(GLOBAL)

set(SEEDBED_TORCH_SERIES "2.11")
option(SEEDBED_CUDA "Build for LibTorch's CUDA libraries (adds libtorch_cuda.so and libc10_cuda.so)" OFF)
set(SEEDBED_TORCH_ROOT "$ENV{SEEDBED_TORCH_ROOT}" CACHE PATH "An unpacked LibTorch ${SEEDBED_TORCH_SERIES}")
if(NOT SEEDBED_TORCH_ROOT)  # what `./dev setup` unpacked
  cmake_path(SET seedbed_cache "$ENV{HOME}/.cache")
  if(DEFINED ENV{XDG_CACHE_HOME})
    cmake_path(SET seedbed_cache "$ENV{XDG_CACHE_HOME}")
  endif()
  file(GLOB seedbed_unpacked "${seedbed_cache}/seedbed/torch-${SEEDBED_TORCH_SERIES}.*-*/torch")
  set(seedbed_choice EXCLUDE)
  if(SEEDBED_CUDA)
    set(seedbed_choice INCLUDE)
  endif()
  list(FILTER seedbed_unpacked ${seedbed_choice} REGEX "-cuda/torch$")
  if(seedbed_unpacked)
    list(GET seedbed_unpacked 0 seedbed_unpacked)
    set_property(CACHE SEEDBED_TORCH_ROOT PROPERTY VALUE "${seedbed_unpacked}")
  endif()
endif()
if(NOT SEEDBED_TORCH_ROOT)
  message(FATAL_ERROR "SEEDBED_TORCH_ROOT is not set. "
                      "Run `./dev setup`, or give -DSEEDBED_TORCH_ROOT=<an unpacked LibTorch ${SEEDBED_TORCH_SERIES}>.")
endif()

function(seedbed_require_torch_file path)
  if(NOT EXISTS "${path}")
    message(FATAL_ERROR "SEEDBED_TORCH_ROOT holds no LibTorch: `${path}` does not exist. "
                        "It should name the folder with LibTorch's include/ and lib/.")
  endif()
endfunction()

# Reads a build id, which tells two builds of one version apart; the version header lacks even the "+cu130".
function(seedbed_read_build_id library variable)
  find_program(SEEDBED_READELF NAMES readelf llvm-readelf REQUIRED)
  mark_as_advanced(SEEDBED_READELF)
  execute_process(COMMAND "${SEEDBED_READELF}" -n "${library}" OUTPUT_VARIABLE notes ERROR_QUIET)
  if(NOT notes MATCHES "Build ID: ([0-9a-f]+)")
    message(FATAL_ERROR "`${library}` has no build id, which the plugins' fingerprint needs.")
  endif()
  set(${variable} "${CMAKE_MATCH_1}" CACHE INTERNAL "Build id of ${library}")
endfunction()

set(SEEDBED_TORCH_LIBRARY_DIR "${SEEDBED_TORCH_ROOT}/lib")
set(seedbed_torch_version_header "${SEEDBED_TORCH_ROOT}/include/torch/headeronly/version.h")
seedbed_require_torch_file("${SEEDBED_TORCH_ROOT}/include/ATen/ATen.h")
seedbed_require_torch_file("${SEEDBED_TORCH_LIBRARY_DIR}/libtorch_cpu.so")
seedbed_require_torch_file("${SEEDBED_TORCH_LIBRARY_DIR}/libc10.so")
set(SEEDBED_TORCH_VERSION "unknown, older than ${SEEDBED_TORCH_SERIES}")
if(EXISTS "${seedbed_torch_version_header}")
  file(STRINGS "${seedbed_torch_version_header}" seedbed_torch_version_line REGEX "^ *\"[0-9.]+\"")
  string(REGEX MATCH "[0-9.]+" SEEDBED_TORCH_VERSION "${seedbed_torch_version_line}")
endif()
if(NOT SEEDBED_TORCH_VERSION MATCHES "^${SEEDBED_TORCH_SERIES}(\\.|$)")
  message(FATAL_ERROR "Seedbed needs LibTorch ${SEEDBED_TORCH_SERIES}; `${SEEDBED_TORCH_ROOT}` holds version "
                      "`${SEEDBED_TORCH_VERSION}`.")
endif()
seedbed_read_build_id("${SEEDBED_TORCH_LIBRARY_DIR}/libtorch_cpu.so" SEEDBED_TORCH_BUILD_ID)
seedbed_read_build_id("${SEEDBED_TORCH_LIBRARY_DIR}/libc10.so" SEEDBED_C10_BUILD_ID)

# LibTorch 2.11 is built with the new string ABI only.
include(CheckCXXSourceCompiles)
check_cxx_source_compiles("#include <string>
#if !_GLIBCXX_USE_CXX11_ABI
#error the old string ABI
#endif
int main() { return 0; }" SEEDBED_CXX11_ABI)
if(NOT SEEDBED_CXX11_ABI)
  message(FATAL_ERROR "LibTorch uses libstdc++'s new string ABI; this compiler is set to `_GLIBCXX_USE_CXX11_ABI=0`.")
endif()

function(seedbed_import_torch_library target file)
  add_library(${target} SHARED IMPORTED)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${SEEDBED_TORCH_LIBRARY_DIR}/${file}"
                                             IMPORTED_SONAME "${file}")
endfunction()

find_package(Threads REQUIRED)
seedbed_import_torch_library(Seedbed::c10 libc10.so)
seedbed_import_torch_library(Seedbed::torch_cpu libtorch_cpu.so)
set_property(TARGET Seedbed::torch_cpu PROPERTY IMPORTED_LINK_DEPENDENT_LIBRARIES Seedbed::c10)

add_library(Seedbed::torch INTERFACE IMPORTED)
target_include_directories(
  Seedbed::torch SYSTEM INTERFACE "${SEEDBED_TORCH_ROOT}/include"
                                  "${SEEDBED_TORCH_ROOT}/include/torch/csrc/api/include")
# at::parallel_for is a header template: without -fopenmp it is serial, and silently so. -fno-math-errno, which LibTorch
# itself is compiled with, lets square roots vectorise and changes no result; it is here and not on single kernels since
# a header precompiled without it cannot be used with it.
target_compile_options(Seedbed::torch INTERFACE -fopenmp -fno-math-errno)
# Kernels register themselves in libtorch_cpu's initialisers, so the library is needed even where no symbol is.
target_link_options(Seedbed::torch INTERFACE -fopenmp LINKER:--no-as-needed)
target_link_libraries(Seedbed::torch INTERFACE Seedbed::torch_cpu Seedbed::c10 Threads::Threads)

if(SEEDBED_CUDA)
  include(SeedbedTorchCuda)
endif()
