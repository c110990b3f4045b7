#pragma once

#include <cstdint>
#include <span>
#include <string_view>

/// Tables that make_unicode_tables.py writes; all are sorted.
namespace seedbed::clip {

struct CodePoints {
  char32_t first, last;  ///< inclusive
};

/// Every `step`-th code point from `first` to `last` has its lower-case form `delta` further on.
struct LowerCase {
  char32_t first, last;
  std::uint32_t step;
  std::int32_t delta;
};

struct Entity {
  std::string_view name;
  char32_t point;
};

std::span<const CodePoints> letters();     ///< categories L*
std::span<const CodePoints> numbers();     ///< categories N*
std::span<const LowerCase> lower_cases();  ///< where one code point becomes one other
std::span<const Entity> entity_names();    ///< of HTML 4, and those that HTML 5 reads without a semicolon

}  // namespace seedbed::clip
