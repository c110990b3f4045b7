# cmake -DOUTPUT=file.cpp -DMIGRATIONS="a.sql;b.sql" -P embed.cmake: writes the migrations as a C++ table.
cmake_minimum_required(VERSION 3.25)
set(entries "")
set(expected 0)
foreach(file IN LISTS MIGRATIONS)
  math(EXPR expected "${expected} + 1")
  get_filename_component(name "${file}" NAME_WE)
  string(REGEX MATCH "^0*([1-9][0-9]*)_" number "${name}")
  if(NOT CMAKE_MATCH_1 STREQUAL expected)
    message(FATAL_ERROR "`${name}` should be migration number ${expected}.")
  endif()
  file(READ "${file}" sql)
  string(APPEND entries "    {${expected}, \"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Generated from host/store/schema.
#include \"store/migrations.hpp\"

namespace seedbed::store {

std::span<const Migration> all_migrations() {
  static constexpr Migration migrations[] = {
${entries}  };
  return migrations;
}

}  // namespace seedbed::store
")
