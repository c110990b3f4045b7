#include "dataset/dataset.hpp"

#include <algorithm>

#include "dataset/dataset_kinds.hpp"
#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

struct Kind {
  std::string_view name;
  std::shared_ptr<const Dataset> (*open)(const Json& table, std::int64_t images_limit);
  const std::vector<std::string>& (*keys)();
};

constexpr Kind kKinds[] = {{"scenes", open_scenes, scenes_keys},
                           {"voc", open_voc, voc_keys},
                           {"coco", open_coco, coco_keys},
                           {"folder", open_folder, folder_keys}};

const Kind& find_kind(std::string_view name) {
  const auto kind = std::ranges::find(kKinds, name, &Kind::name);
  if (kind != std::end(kKinds)) return *kind;
  throw UserError("dataset.kind", "There is no such kind of data set: `" + std::string(name) + "`.",
                  did_you_mean(name, dataset_kinds()) + "Kinds: " + quoted_list(dataset_kinds()) + ".");
}

}  // namespace

std::shared_ptr<const Dataset> Dataset::open(const Json& table, std::int64_t images_limit) {
  const auto kind = table.is_object() ? table.find("kind") : table.end();
  if (kind == table.end() || !kind->is_string())
    throw UserError("dataset.kind", "The data set needs the key `kind`.",
                    "Kinds: " + quoted_list(dataset_kinds()) + ".");
  return find_kind(kind->get<std::string>()).open(table, images_limit);
}

const Role& Dataset::role(std::string_view name) const {
  const auto role = std::ranges::find(roles(), name, &Role::name);
  if (role != roles().end()) return *role;
  std::vector<std::string> names;
  for (const Role& known : roles()) names.push_back(known.name);
  throw UserError("dataset.roles", "The data set has no such role: `" + std::string(name) + "`.",
                  did_you_mean(name, names) + "Roles: " + quoted_list(names) + ".");
}

std::optional<DrawnPlane> Dataset::draw_mask(std::string_view) const { return std::nullopt; }

std::optional<DrawnPlane> Dataset::draw_instances(std::string_view) const { return std::nullopt; }

UserError no_boxes(const std::string& kind) {
  return {"dataset.kind", "This kind of data set has no boxes: `" + kind + "`.",
          "`coco` and `scenes` have, and `voc` with `annotations`."};
}

std::vector<Box> Dataset::boxes(std::string_view) const { throw no_boxes(kind()); }

std::vector<SideInput> Dataset::side_inputs() const {
  if (kind() == "scenes") return {{"saliency", SideKind::grey}, {"boxes", SideKind::labels}};
  std::vector<SideInput> inputs;
  const Json side = table().value("side", Json::object());
  for (const auto& [name, input] : side.items())
    inputs.push_back({name, input.value("kind", "grey") == "labels" ? SideKind::labels : SideKind::grey});
  const bool has_boxes = kind() == "coco" || (kind() == "voc" && table().value("annotations", "") != "");
  if (has_boxes && !side.contains("boxes")) inputs.push_back({"boxes", SideKind::labels});
  return inputs;
}

SideKind Dataset::side_kind(std::string_view name) const {
  const std::vector<SideInput> inputs = side_inputs();
  const auto input = std::ranges::find(inputs, name, &SideInput::name);
  if (input != inputs.end()) return input->kind;
  std::vector<std::string> names;
  for (const SideInput& known : inputs) names.push_back(known.name);
  throw UserError("dataset.side", "The data set has no such side input: `" + std::string(name) + "`.",
                  names.empty() ? "Declare it: `[dataset.side." + std::string(name) + "]` with `folder`."
                                : did_you_mean(name, names) + "Side inputs: " + quoted_list(names) + ".");
}

std::vector<std::string> legal_keys(std::string_view kind) { return find_kind(kind).keys(); }

const std::vector<std::string>& dataset_kinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Kind& kind : kKinds) all.emplace_back(kind.name);
    return all;
  }();
  return names;
}

}  // namespace seedbed::dataset
