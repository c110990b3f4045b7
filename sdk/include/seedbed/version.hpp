#pragma once

/// The version of Seedbed. CMake reads it from here; it is written nowhere else.
#define SEEDBED_VERSION_MAJOR 0
#define SEEDBED_VERSION_MINOR 1
#define SEEDBED_VERSION_PATCH 0
