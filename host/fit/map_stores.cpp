#include "fit/map_stores.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::fit {

class MapStores::Store : public MapStore {
 public:
  bool contains(std::string_view image_id) const override { return values.find(image_id) != values.end(); }

  at::Tensor read(std::string_view image_id) const override {
    const auto found = values.find(image_id);
    if (found == values.end()) {
      throw UserError("", "The map store holds nothing for the image: `" + std::string(image_id) + "`.",
                      "ask `contains` first");
    }
    return found->second;
  }

  void write(std::string_view image_id, const at::Tensor& value) override {
    values.insert_or_assign(std::string(image_id), value.detach().clone());
  }

  std::vector<std::string> image_ids() const override {
    std::vector<std::string> ids;
    for (const auto& [id, tensor] : values) ids.push_back(id);
    return ids;
  }

  NamedTensors values;
};

MapStores::MapStores() = default;
MapStores::~MapStores() = default;

MapStore& MapStores::named(std::string_view name) {
  const auto found = stores_.find(name);
  if (found != stores_.end()) return *found->second;
  return *stores_.emplace(std::string(name), std::make_unique<Store>()).first->second;
}

NamedTensors MapStores::state() const {
  NamedTensors state;
  for (const auto& [name, store] : stores_) {
    for (const auto& [image, value] : store->values) state[name + "/" + image] = value;
  }
  return state;
}

void MapStores::load_state(const NamedTensors& state) {
  for (const auto& [name, value] : state) {
    const std::size_t slash = name.find('/');
    named(name.substr(0, slash)).write(name.substr(slash + 1), value);
  }
}

}  // namespace seedbed::fit
