# The rooms' libraries, and the precompiled header that everything on tensors shares.
include_guard(GLOBAL)
include(SeedbedWarnings)

option(SEEDBED_PCH "Precompile ATen's headers" ON)

# One owner, reused by rooms, plugins and tests. GCC ignores a header compiled with other flags, -fPIE in place of
# -fPIC included, and says so only under -Winvalid-pch, which is an error in the presets.
if(SEEDBED_PCH)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/torch_pch.cpp" CONTENT "// Owns the precompiled header.\n")
  add_library(seedbed_torch_pch OBJECT "${CMAKE_BINARY_DIR}/generated/torch_pch.cpp")
  target_link_libraries(seedbed_torch_pch PRIVATE Seedbed::torch)
  seedbed_enable_warnings(seedbed_torch_pch)  # -Wpedantic changes predefined macros, so it must agree
  target_compile_options(seedbed_torch_pch PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  target_precompile_headers(
    seedbed_torch_pch PRIVATE <algorithm> <cstdint> <filesystem> <functional> <map> <memory> <optional> <span>
                              <string> <string_view> <vector> <ATen/ATen.h>)
endif()

# Compiles the target with ATen's headers precompiled; it must link Seedbed::torch, by Seedbed::sdk for instance. Call it
# after the sources' properties are set: a source with its own machine options cannot use the header, and one with its
# own optimisation level makes GCC 12 crash on a header precompiled at -O1 (every build but Release).
function(seedbed_use_torch_pch target)
  if(NOT TARGET seedbed_torch_pch)
    return()
  endif()
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  target_precompile_headers(${target} REUSE_FROM seedbed_torch_pch)
  set(unlike "(^|;)-m")
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    set(unlike "(^|;)-[mO]")
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    get_source_file_property(options "${source}" COMPILE_OPTIONS)
    if(options MATCHES "${unlike}")
      set_source_files_properties("${source}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()

# Links Seedbed::sdk into a program whose sources include LibTorch, and precompiles its headers. GCC silently ignores a
# header precompiled with -fPIC in an executable compiled with -fPIE.
function(seedbed_use_torch_in_program target)
  target_link_libraries(${target} PRIVATE Seedbed::sdk)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC)
  seedbed_use_torch_pch(${target})
endfunction()

# seedbed_add_library(<room> SOURCES ... [HEADERS ...] [PUBLIC deps...] [PRIVATE deps...] [TORCH])
#
# Makes the static library seedbed_<room>, alias Seedbed::<room>. Headers are included by their path below host/
# ("dataset/dataset.hpp"). TORCH: a room of the worker, on tensors; without it the room may serve `seedbed`.
function(seedbed_add_library room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;HEADERS;PUBLIC;PRIVATE")
  seedbed_refuse_unparsed(seedbed_add_library "${arg_UNPARSED_ARGUMENTS}")
  set(target seedbed_${room})
  add_library(${target} STATIC ${arg_SOURCES} ${arg_HEADERS})
  add_library(Seedbed::${room} ALIAS ${target})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/host")
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  seedbed_enable_warnings(${target})
  if(arg_TORCH)
    target_link_libraries(${target} PUBLIC Seedbed::sdk)
    seedbed_use_torch_pch(${target})
    seedbed_refuse_fast_math(${target})
  endif()
endfunction()

function(seedbed_refuse_unparsed function unparsed)
  if(unparsed)
    message(FATAL_ERROR "${function} does not know these arguments: `${unparsed}`.")
  endif()
endfunction()
