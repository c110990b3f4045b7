# Run as a script when a plugin's sources changed: embeds its manifest with the source revision of that moment.
#
# TOOL INPUT FINGERPRINT NAME OUTPUT: the tool writes aside first, so an unchanged header recompiles nothing.
cmake_path(GET INPUT PARENT_PATH folder)
set(revision unknown)
find_program(GIT git)
if(GIT)
  execute_process(COMMAND "${GIT}" -C "${folder}" describe --always --abbrev=12 --exclude=* --dirty OUTPUT_VARIABLE described
                  RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(status EQUAL 0)
    set(revision "${described}")
  endif()
endif()
file(MAKE_DIRECTORY "${OUTPUT}/fresh")
execute_process(
  COMMAND "${TOOL}" embed --input "${INPUT}" --source-revision "${revision}" --fingerprint "${FINGERPRINT}" #
          --header "${OUTPUT}/fresh/${NAME}_manifest.hpp" --source "${OUTPUT}/fresh/${NAME}_manifest.cpp"
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "seedbed-manifest refused `${INPUT}`")
endif()
foreach(file IN ITEMS "${NAME}_manifest.hpp" "${NAME}_manifest.cpp")
  file(COPY_FILE "${OUTPUT}/fresh/${file}" "${OUTPUT}/${file}" ONLY_IF_DIFFERENT)
endforeach()
