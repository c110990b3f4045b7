#include "study/findings.hpp"

#include <utility>

namespace seedbed::study {

void Findings::add(const Place& place, std::string what, std::string hint) {
  add({place, "", std::move(what), std::move(hint)});
}

void Findings::add(const Place& place, const UserError& error) {
  if (const auto* several = dynamic_cast<const UserErrors*>(&error)) {
    for (const UserError& each : several->errors()) add({place, each.where(), each.message(), each.hint()});
  } else {
    add({place, error.where(), error.message(), error.hint()});
  }
}

void Findings::add(Key key) {
  ++num_added_;
  Cells& cells = found_[std::move(key)];
  if (cells.count > 0 && cells.last == cell_) return;
  if (cells.count == 0) cells.first = cell_;
  ++cells.count;
  cells.last = cell_;
}

void Findings::enter_cell(std::string levels) {
  cell_ = std::move(levels);
  ++num_cells_;
}

void Findings::throw_if_any() const {
  if (found_.empty()) return;
  std::vector<UserError> errors;
  for (const auto& [key, cells] : found_) {
    const auto& [place, own_place, what, hint] = key;
    std::string full = hint;
    if (!cells.first.empty() && cells.count < num_cells_) {
      full += (full.empty() ? "" : "; ") + std::string("in ") + std::to_string(cells.count) + " of " +
              std::to_string(num_cells_) + " cells, the first is " + cells.first;
    }
    errors.emplace_back(own_place.empty() ? place.text() : own_place, what, full);
  }
  throw UserErrors(std::move(errors));
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "`" : ", `") + name + "`";
  return text;
}

std::string hint_for(std::string_view wrong, const std::vector<std::string>& legal) {
  const std::string nearest = nearest_name(wrong, legal);
  return (nearest.empty() ? "" : "nearest: `" + nearest + "`; ") + "accepted: " + listed(legal);
}

}  // namespace seedbed::study
