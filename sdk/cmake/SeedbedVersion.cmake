# SEEDBED_VERSION: read from seedbed/version.hpp, the one place that states it.
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../include/seedbed/version.hpp" seedbed_version_lines
     REGEX "define SEEDBED_VERSION_(MAJOR|MINOR|PATCH)")
string(REGEX REPLACE "[^;0-9]+" "" seedbed_version_lines "${seedbed_version_lines}")
string(REPLACE ";" "." SEEDBED_VERSION "${seedbed_version_lines}")
