#include "study/roles.hpp"

#include <algorithm>

namespace seedbed::study {

const dataset::Role* Roles::find(const std::string& name) const {
  const auto found = std::ranges::find(data_->roles(), name, &dataset::Role::name);
  return found == data_->roles().end() ? nullptr : &*found;
}

bool Roles::has(const std::string& name) const { return !data_ || find(name); }

bool Roles::require(const std::string& name, const Place& place) const {
  if (has(name)) return true;
  findings_.add(place, "the data set has no role `" + name + "`", hint_for(name, names_of(data_->roles())));
  return false;
}

bool Roles::require_masks(const std::string& name, const Place& place, const std::string& purpose) const {
  if (!require(name, place)) return false;
  if (!data_ || find(name)->has_masks) return true;
  std::vector<std::string> names;
  for (const dataset::Role& role : data_->roles()) {
    if (role.has_masks) names.push_back(role.name);
  }
  findings_.add(place, "role `" + name + "` has no masks, and " + purpose + " them",
                names.empty() ? "no role has any" : "accepted: " + listed(names));
  return false;
}

bool Roles::require_side(const std::string& name, const Place& place) const {
  if (!data_) return true;
  const std::vector<std::string> names = names_of(data_->side_inputs());
  if (std::ranges::find(names, name) != names.end()) return true;
  findings_.add(place, "the data set has no side input `" + name + "`",
                names.empty() ? "`[dataset.side." + name + "]` with `folder` declares it" : hint_for(name, names));
  return false;
}

std::vector<std::string> Roles::with_masks(const std::vector<std::string>& names) const {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    const dataset::Role* role = data_ ? find(name) : nullptr;
    if (role && role->has_masks) found.push_back(name);
  }
  return found;
}

}  // namespace seedbed::study
