# seedbed_add_plugin: one plugin, one shared library, from the folder that holds its plugin.toml. Installed with the
# SDK, so that authors outside this tree get identical flags.
include_guard(GLOBAL)
include(SeedbedWarnings)
include(SeedbedFingerprint)
set(SEEDBED_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")
if(NOT DEFINED SEEDBED_PLUGIN_OUTPUT_DIR)
  set(SEEDBED_PLUGIN_OUTPUT_DIR "${CMAKE_BINARY_DIR}/lib/seedbed/plugins")
endif()

# seedbed_add_plugin(<name> SOURCES ... [TESTS ...] [LINK ...] [MANIFEST file] [OUTPUT_DIR folder]
#                    [OPENCV] [QUICKSTART] [NO_SYMBOL_FILE])
#
# Makes <name>_methods (the sources as objects, which unit tests link; the door, plugin.cpp, is left out where there are
# others, so that a test may link several) and the module seedbed_<name>.so. The generated
# header is included as "<name>_manifest.hpp". TESTS become the test <name>_test. QUICKSTART: `./dev run` builds it.
# NO_SYMBOL_FILE is for fixtures that must export something else than the door.
function(seedbed_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "OPENCV;QUICKSTART;NO_SYMBOL_FILE" "MANIFEST;OUTPUT_DIR" "SOURCES;TESTS;LINK")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "seedbed_add_plugin does not know these arguments: `${arg_UNPARSED_ARGUMENTS}`.")
  endif()
  set(libraries Seedbed::sdk ${arg_LINK})
  if(arg_OPENCV)
    include(SeedbedOpenCV)
    list(APPEND libraries Seedbed::opencv)
  endif()
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  seedbed_embed_manifest(${name} "${arg_MANIFEST}" "${arg_SOURCES}" "${generated}")

  set(others ${arg_SOURCES})
  list(FILTER others INCLUDE REGEX "\\.cpp$")
  list(REMOVE_ITEM others plugin.cpp)
  set(door "")
  if(others AND "plugin.cpp" IN_LIST arg_SOURCES)
    set(door plugin.cpp)
    list(REMOVE_ITEM arg_SOURCES plugin.cpp)
  endif()
  add_library(${name}_methods OBJECT ${arg_SOURCES} "${generated}/${name}_manifest.hpp")
  target_include_directories(${name}_methods PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}" "${generated}")
  target_link_libraries(${name}_methods PUBLIC ${libraries})
  add_library(seedbed_${name} MODULE ${door} "${generated}/${name}_manifest.cpp")
  target_link_libraries(seedbed_${name} PRIVATE ${name}_methods)
  foreach(target IN ITEMS ${name}_methods seedbed_${name})
    target_compile_features(${target} PRIVATE cxx_std_20)
    set_target_properties(
      ${target} PROPERTIES CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
                           POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
    seedbed_enable_warnings(${target})
    seedbed_refuse_fast_math(${target})
  endforeach()
  if(COMMAND seedbed_use_torch_pch)
    seedbed_use_torch_pch(${name}_methods)
    # The manifest sees no tensors; the macro that a module is compiled with would keep the header from serving the door.
    set_source_files_properties("${generated}/${name}_manifest.cpp" PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    set_target_properties(seedbed_${name} PROPERTIES DEFINE_SYMBOL "")
    seedbed_use_torch_pch(seedbed_${name})
  endif()
  seedbed_link_door(seedbed_${name} "${arg_NO_SYMBOL_FILE}")
  if(NOT arg_OUTPUT_DIR)
    set(arg_OUTPUT_DIR "${SEEDBED_PLUGIN_OUTPUT_DIR}")
    if(TARGET all_plugins)
      add_dependencies(all_plugins seedbed_${name})
    endif()
  endif()
  set_target_properties(seedbed_${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${arg_OUTPUT_DIR}")

  if(TARGET generated_sources)
    add_dependencies(generated_sources ${name}_manifest)
  endif()
  if(arg_QUICKSTART AND TARGET quickstart_plugins)
    add_dependencies(quickstart_plugins seedbed_${name})
  endif()
  if(arg_TESTS AND COMMAND seedbed_add_test)
    seedbed_add_test(${name}_test SOURCES ${arg_TESTS} LINK ${name}_methods TORCH)
  endif()
endfunction()

# Generates <name>_manifest.hpp and .cpp in the folder `generated` whenever manifest, sources or fingerprint change.
function(seedbed_embed_manifest name manifest sources generated)
  if(NOT manifest)
    set(manifest plugin.toml)
  endif()
  cmake_path(ABSOLUTE_PATH manifest BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  list(TRANSFORM sources PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" REGEX "^[^/]")
  add_custom_command(
    OUTPUT "${generated}/${name}_manifest.hpp" "${generated}/${name}_manifest.cpp"
    COMMAND
      "${CMAKE_COMMAND}" "-DTOOL=$<TARGET_FILE:seedbed-manifest>" "-DINPUT=${manifest}" "-DNAME=${name}"
      "-DFINGERPRINT=${SEEDBED_FINGERPRINT_FILE}" "-DOUTPUT=${generated}" -P
      "${SEEDBED_CMAKE_DIR}/SeedbedEmbedManifest.cmake"
    DEPENDS "${manifest}" ${sources} seedbed-manifest seedbed_fingerprint "${SEEDBED_FINGERPRINT_FILE}"
            "${SEEDBED_CMAKE_DIR}/SeedbedEmbedManifest.cmake"
    COMMENT "Manifest of ${name}"
    VERBATIM)
  add_custom_target(${name}_manifest DEPENDS "${generated}/${name}_manifest.hpp")
endfunction()

# One symbol leaves the library, and every symbol it uses is found when it is linked, not in hour three.
function(seedbed_link_door target without_symbol_file)
  target_link_options(${target} PRIVATE LINKER:--gc-sections)
  # Clang leaves the sanitizers' run-time symbols of a shared library undefined.
  if(NOT (CMAKE_CXX_COMPILER_ID MATCHES Clang AND CMAKE_CXX_FLAGS MATCHES "-fsanitize"))
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()
  if(NOT without_symbol_file)
    set(symbols "${SEEDBED_CMAKE_DIR}/plugin.version")
    target_link_options(${target} PRIVATE "LINKER:--version-script=${symbols}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${symbols}")
  endif()
endfunction()
