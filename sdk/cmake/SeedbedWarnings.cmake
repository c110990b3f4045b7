# Warnings are asked for here, target by target; presets make them errors (CMAKE_COMPILE_WARNING_AS_ERROR).
include_guard(GLOBAL)

function(seedbed_enable_warnings target)
  target_compile_options(
    ${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi
                      -Wcast-align -Wunused $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -Winvalid-pch>)
  # GCC 12 sees an overlap in `"text" + std::string` at -O2 that is not there (its bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()

# Refuses -ffast-math and its kin: a plugin so built changes the host's floating-point mode, and NaN checks vanish.
function(seedbed_refuse_fast_math target)
  get_target_property(options ${target} COMPILE_OPTIONS)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" configuration)
  set(flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${configuration}} ${options}")
  if(flags MATCHES "-ffast-math|-Ofast|-funsafe-math-optimizations|-ffinite-math-only")
    message(FATAL_ERROR "`${CMAKE_MATCH_0}` is refused for `${target}`: "
                        "it changes the host's floating-point mode and removes the checks for NaN.")
  endif()
endfunction()
