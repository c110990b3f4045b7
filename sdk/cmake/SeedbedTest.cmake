# seedbed_add_test(<name> SOURCES ... [LINK ...] [LABELS ...] [ENVIRONMENT VAR=value ...] [TIMEOUT seconds]
#                  [DEPENDS targets...] [TORCH] [SERIAL] [NO_MAIN])
#
# One GoogleTest program, one ctest entry of the same name (label `fast` unless others are given). TORCH: it includes
# LibTorch, links Seedbed::sdk and uses the precompiled header. DEPENDS: what it loads or starts without linking it.
# SERIAL: not beside other tests. NO_MAIN: the sources bring their own main(). A test that maps LibTorch, itself or by
# the worker it starts, gets the label `torch` as well: the thread sanitizer leaves those out.
include_guard(GLOBAL)
find_package(GTest REQUIRED)
add_custom_target(tests_without_torch COMMENT "")

function(seedbed_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH;SERIAL;NO_MAIN" "TIMEOUT" "SOURCES;LINK;LABELS;ENVIRONMENT;DEPENDS")
  seedbed_refuse_unparsed(seedbed_add_test "${arg_UNPARSED_ARGUMENTS}")
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock)
  if(arg_NO_MAIN)
    target_link_libraries(${name} PRIVATE GTest::gtest)
  else()
    target_link_libraries(${name} PRIVATE GTest::gtest_main)
  endif()
  seedbed_enable_warnings(${name})
  if(arg_TORCH)
    seedbed_use_torch_in_program(${name})
  endif()
  if(arg_DEPENDS)
    add_dependencies(${name} ${arg_DEPENDS})
  endif()
  if(arg_TORCH OR seedbed-worker IN_LIST arg_DEPENDS)
    set(maps_torch torch)
  else()
    set(maps_torch "")
    add_dependencies(tests_without_torch ${name})
  endif()

  # The XML report lets `./dev test` count cases instead of programs.
  add_test(NAME ${name} COMMAND ${name} "--gtest_output=xml:${CMAKE_BINARY_DIR}/test-reports/gtest/${name}.xml")
  if(NOT arg_LABELS)
    set(arg_LABELS fast)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(maps_torch AND NOT "${arg_ENVIRONMENT}" MATCHES "OMP_NUM_THREADS")
    # Threads that wait spin: beside other tests they cost more than they bring.
    list(APPEND arg_ENVIRONMENT OMP_NUM_THREADS=1)
  endif()
  set_tests_properties(
    ${name} PROPERTIES LABELS "${arg_LABELS};${maps_torch}" TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${arg_ENVIRONMENT}"
                       RUN_SERIAL ${arg_SERIAL} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
endfunction()
