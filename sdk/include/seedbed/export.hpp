#pragma once

/// Marks what leaves a shared library of Seedbed; everything else is hidden.
#define SEEDBED_API __attribute__((visibility("default")))
