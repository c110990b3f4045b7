#include "dataset/roles.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "dataset/csv.hpp"
#include "dataset/table_reader.hpp"

namespace seedbed::dataset {
namespace {

constexpr std::string_view kForms =
    "Forms: `LIST`, `LIST:40` (the first 40), `LIST:0..200`, `LIST:0%..80%`, `LIST:5-per-class`.";

std::optional<std::pair<std::int64_t, std::int64_t>> range_from(std::string_view text, bool percent) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  std::string_view first = text.substr(0, dots), second = text.substr(dots + 2);
  for (std::string_view* side : {&first, &second}) {
    if (percent != side->ends_with('%')) return std::nullopt;
    if (percent) side->remove_suffix(1);
  }
  const auto begin = whole_number(first), end = whole_number(second);
  if (!begin || !end || *begin < 0 || *begin >= *end || (percent && *end > 100)) return std::nullopt;
  return std::pair(*begin, *end);
}

std::optional<RoleText> part_from(std::string_view text) {
  constexpr std::string_view per_class_form = "-per-class";
  if (const auto range = range_from(text, false)) return RoleText{"", Part::range, range->first, range->second};
  if (const auto share = range_from(text, true)) return RoleText{"", Part::share, share->first, share->second};
  const bool per_class = text.ends_with(per_class_form);
  if (per_class) text.remove_suffix(per_class_form.size());
  const auto count = whole_number(text);
  if (!count || *count < 1) return std::nullopt;
  return RoleText{"", per_class ? Part::per_class : Part::first, 0, *count};
}

// The first N images of each class: an image is taken while one of its classes still lacks some.
std::vector<std::string> first_per_class(const std::vector<std::string>& ids, std::int64_t wanted,
                                         const RoleSource& source, const std::string& where) {
  std::map<std::int64_t, std::int64_t> taken;
  std::vector<std::string> chosen;
  for (const std::string& id : ids) {
    const auto labels = source.labels(id);
    if (!labels)
      throw UserError(where, "A role by classes needs image labels that are known without decoding masks.",
                      "Name a label file with the key `labels`.");
    const bool needed = std::ranges::any_of(*labels, [&](std::int64_t label) { return taken[label] < wanted; });
    if (!needed) continue;
    for (std::int64_t label : *labels) ++taken[label];
    chosen.push_back(id);
  }
  return chosen;
}

std::vector<std::string> images_of(const RoleText& role, std::vector<std::string> ids, const RoleSource& source,
                                   const std::string& where) {
  const auto size = static_cast<std::int64_t>(ids.size());
  std::int64_t begin = role.begin, end = role.end;
  switch (role.part) {
    case Part::all:
      return ids;
    case Part::per_class:
      return first_per_class(ids, role.end, source, where);
    case Part::share:
      begin = size * role.begin / 100;
      end = size * role.end / 100;
      break;
    case Part::range:
    case Part::first:
      break;
  }
  if (end > size)
    throw UserError(where, "A role asks for more images than its list holds: `" + std::to_string(end) + "`.",
                    "List `" + role.list + "` holds " + std::to_string(size) + ".");
  return {ids.begin() + begin, ids.begin() + end};
}

void leave_out_images_without_class(Role& role, const RoleSource& source) {
  if (source.every_image_has_class) return;
  role.images_without_class += static_cast<std::int64_t>(std::erase_if(role.image_ids, [&](const std::string& id) {
    const auto labels = source.labels(id);
    return labels && labels->empty();
  }));
}

void leave_out_selected(std::vector<Role>& roles) {
  const auto select = std::ranges::find(roles, "select", &Role::name);
  if (select == roles.end()) return;
  const std::set<std::string> selected(select->image_ids.begin(), select->image_ids.end());
  for (Role& role : roles)
    if (role.name != "select" && role.name != "train")
      std::erase_if(role.image_ids, [&](const std::string& id) { return selected.contains(id); });
}

Role role_from(const std::string& name, const Json& text, const RoleSource& source) {
  const std::string where = "dataset.roles." + name;
  if (std::ranges::find(role_names(), name) == role_names().end())
    throw UserError(where, "There is no such role: `" + name + "`.",
                    did_you_mean(name, role_names()) + "Roles: " + quoted_list(role_names()) + ".");
  if (!text.is_string()) throw UserError(where, "A role is a text: `" + text.dump() + "`.", std::string(kForms));
  const RoleText role_text = role_text_from(text.get<std::string>(), where);
  Role role{name, images_of(role_text, source.image_ids(role_text.list, where), source, where), false, 0};
  if (name == "train") leave_out_images_without_class(role, source);
  return role;
}

}  // namespace

RoleText role_text_from(std::string_view text, const std::string& where) {
  const std::size_t colon = text.find(':');
  const std::string_view list = text.substr(0, colon);
  if (!list.empty() && colon == std::string_view::npos) return {std::string(list), Part::all, 0, 0};
  auto part = list.empty() ? std::nullopt : part_from(text.substr(colon + 1));
  if (!part) throw UserError(where, "A role is malformed: `" + std::string(text) + "`.", std::string(kForms));
  part->list = list;
  return *std::move(part);
}

const std::vector<std::string>& role_names() {
  static const std::vector<std::string> names{"train", "measure", "select", "test", "unlabelled"};
  return names;
}

std::vector<Role> resolve_roles(const Json& roles, const RoleSource& source, std::int64_t images_limit,
                                std::vector<UserError>& problems) {
  std::vector<Role> resolved;
  for (const auto& [name, text] : roles.items())
    collect_problems(problems, [&, &role_name = name, &role_text = text] {
      resolved.push_back(role_from(role_name, role_text, source));
    });
  leave_out_selected(resolved);
  for (Role& role : resolved) {
    if (role.image_ids.empty())
      problems.emplace_back("dataset.roles." + role.name, "A role has no images left: `" + role.name + "`.",
                            role.name == "train" ? "Images without any class are left out of it."
                                                 : "Images of `select` are left out of it.");
    if (images_limit > 0 && std::ssize(role.image_ids) > images_limit)
      role.image_ids.resize(static_cast<std::size_t>(images_limit));
  }
  return resolved;
}

}  // namespace seedbed::dataset
