#include "weights/element_types.hpp"

#include <algorithm>
#include <utility>

namespace seedbed::weights {
namespace {

constexpr std::pair<std::string_view, at::ScalarType> kTypes[] = {{"BOOL", at::kBool},
                                                                  {"U8", at::kByte},
                                                                  {"I8", at::kChar},
                                                                  {"U16", at::kUInt16},
                                                                  {"I16", at::kShort},
                                                                  {"U32", at::kUInt32},
                                                                  {"I32", at::kInt},
                                                                  {"U64", at::kUInt64},
                                                                  {"I64", at::kLong},
                                                                  {"F16", at::kHalf},
                                                                  {"BF16", at::kBFloat16},
                                                                  {"F32", at::kFloat},
                                                                  {"F64", at::kDouble},
                                                                  {"F8_E4M3", at::kFloat8_e4m3fn},
                                                                  {"F8_E5M2", at::kFloat8_e5m2}};

}  // namespace

std::optional<at::ScalarType> element_type_from(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &std::pair<std::string_view, at::ScalarType>::first);
  if (found == std::end(kTypes)) return std::nullopt;
  return found->second;
}

std::optional<std::string_view> element_type_name(at::ScalarType type) {
  const auto found = std::ranges::find(kTypes, type, &std::pair<std::string_view, at::ScalarType>::second);
  if (found == std::end(kTypes)) return std::nullopt;
  return found->first;
}

}  // namespace seedbed::weights
