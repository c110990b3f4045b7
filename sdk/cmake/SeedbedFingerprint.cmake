# The fingerprint that plugin and host must agree on, as JSON in SEEDBED_FINGERPRINT_FILE (target seedbed_fingerprint).
#
# Everything but the digest of the SDK's headers is known when CMake runs; the digest is taken whenever one changes, by
# `seedbed-manifest headers-digest`, which leaves comments out. Run as a script, this file writes the whole.
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND "${TOOL}" headers-digest "${HEADERS}" OUTPUT_VARIABLE digest OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  file(READ "${ENVIRONMENT}" fingerprint)
  string(JSON fingerprint SET "${fingerprint}" sdk_headers_digest "\"${digest}\"")
  file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "${fingerprint}\n" @ONLY)  # leaves an equal file untouched
  return()
endif()
include_guard(GLOBAL)

set(seedbed_sanitizers "")
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=([a-z,]+)")
  set(seedbed_sanitizers "${CMAKE_MATCH_1}")
endif()
string(TOLOWER "${CMAKE_CXX_COMPILER_ID}" seedbed_compiler)
string(REGEX MATCH "^[0-9]+" seedbed_compiler_major "${CMAKE_CXX_COMPILER_VERSION}")
file(
  CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/fingerprint_environment.json"
  CONTENT [[{
  "torch_version": "@SEEDBED_TORCH_VERSION@",
  "torch_build_id": "@SEEDBED_TORCH_BUILD_ID@",
  "c10_build_id": "@SEEDBED_C10_BUILD_ID@",
  "cxx11_abi": "1",
  "compiler": "@seedbed_compiler@",
  "compiler_major": "@seedbed_compiler_major@",
  "cxx_standard": "20",
  "sanitizers": "@seedbed_sanitizers@"
}
]] @ONLY)

# An installed SDK brings its headers' digest with it; in this tree it follows the headers.
set(SEEDBED_FINGERPRINT_FILE "${PROJECT_BINARY_DIR}/generated/fingerprint.json")
if(NOT DEFINED SEEDBED_SDK_INCLUDE_DIR)
  cmake_path(SET SEEDBED_SDK_INCLUDE_DIR NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../include")
endif()
file(GLOB_RECURSE seedbed_abi_headers CONFIGURE_DEPENDS "${SEEDBED_SDK_INCLUDE_DIR}/seedbed/*.hpp")
add_custom_command(
  OUTPUT "${SEEDBED_FINGERPRINT_FILE}"
  COMMAND
    "${CMAKE_COMMAND}" "-DTOOL=$<TARGET_FILE:seedbed-manifest>" "-DHEADERS=${SEEDBED_SDK_INCLUDE_DIR}/seedbed"
    "-DENVIRONMENT=${PROJECT_BINARY_DIR}/generated/fingerprint_environment.json"
    "-DOUTPUT=${SEEDBED_FINGERPRINT_FILE}" -P "${CMAKE_CURRENT_LIST_FILE}"
  DEPENDS seedbed-manifest "${PROJECT_BINARY_DIR}/generated/fingerprint_environment.json" ${seedbed_abi_headers}
          "${CMAKE_CURRENT_LIST_FILE}"
  COMMENT "Fingerprint of the SDK"
  VERBATIM)
add_custom_target(seedbed_fingerprint DEPENDS "${SEEDBED_FINGERPRINT_FILE}")
