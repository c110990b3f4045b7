# Compiles through ccache where it is installed. Without this sloppiness no file with a precompiled header is cached;
# seedbed_torch_pch adds the -fpch-preprocess that belongs to it.
include_guard(GLOBAL)

option(SEEDBED_CCACHE "Use ccache if it is installed" ON)
find_program(SEEDBED_CCACHE_PROGRAM ccache)
mark_as_advanced(SEEDBED_CCACHE_PROGRAM)
if(SEEDBED_CCACHE AND SEEDBED_CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros "${SEEDBED_CCACHE_PROGRAM}")
endif()
