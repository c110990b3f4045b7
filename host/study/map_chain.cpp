#include "study/map_chain.hpp"

#include <utility>

namespace seedbed::study {
namespace {

// "same" and "any" give on what was taken.
void pass_on(std::string& held, const std::string& given) {
  if (given != "same" && given != "any") held = given;
}

}  // namespace

void MapChain::refuse(const Place& place, const std::string& taker, const std::string& takes, const std::string& gives,
                      const std::string& hint) {
  findings_.add(
      place, "this chain does not fit: `" + taker + "` takes " + takes + ", and `" + giver_ + "` gives " + gives, hint);
}

void MapChain::add_background(const Place& place) {
  if (is_labels()) {
    refuse(place, "background", "score maps", "labels", "leave `background` out");
  } else if (has_background()) {
    refuse(place, "background", "maps without a background plane", "maps that hold one", "leave `background` out");
  }
  maps_.background = "present";
}

void MapChain::become_labels(std::string rule) {
  maps_.form = "labels";
  giver_ = std::move(rule);
}

std::optional<Json> MapChain::left_background_for(const MethodManifest& taker) const {
  const std::string& takes = taker.takes.background;
  const bool wants_plane = takes == "present" || (takes == "any" && ends_in_argmax_);
  return wants_plane && lacks_plane() ? left_ : std::nullopt;
}

std::optional<Json> MapChain::left_background_for_argmax() const { return lacks_plane() ? left_ : std::nullopt; }

void MapChain::refine(const MethodManifest& refiner, const Place& place) {
  const MapType& takes = refiner.takes;
  if (takes.form != maps_.form) {
    refuse(place, refiner.id, takes.form, maps_.form, "another order of the refiners");
  } else if (takes.background == "present" && lacks_plane()) {
    refuse(place, refiner.id, "maps with a background plane", "maps without one",
           "`background = { rule = \"power\", alpha = 4 }` in its entry adds one");
  } else if (takes.background == "absent" && has_background()) {
    refuse(place, refiner.id, "maps without a background plane", "maps that hold one",
           "put it further up in the chain");
  } else if (takes.value != "any" && maps_.value != "any" && takes.value != maps_.value && !is_labels()) {
    refuse(place, refiner.id, takes.value, maps_.value, "a refiner between them that gives " + takes.value);
  }
  maps_.form = refiner.gives.form;
  pass_on(maps_.background, refiner.gives.background);
  pass_on(maps_.value, refiner.gives.value);
  giver_ = refiner.id;
}

void MapChain::label(std::string_view rule, const Place& place) {
  const std::string name(rule);
  if (is_labels()) {
    refuse(place, name, "score maps", "labels", "leave the rule out: they are labels already");
  } else if (rule == "argmax" && !has_background()) {
    refuse(place, name, "maps with a background plane", "maps without one",
           "accepted: `threshold`, `power`, `two_thresholds`, `two_powers`, `saliency`");
  } else if (rule != "argmax" && has_background()) {
    refuse(place, name, "maps without a background plane", "maps that hold one", "accepted: `argmax`");
  }
}

MapType fused_maps(const MethodManifest& generator) {
  MapType maps = generator.gives;
  if (maps.background != "present") maps.background = "absent";
  if (maps.value != "probability") maps.value = "evidence";
  return maps;
}

MapType predicted_maps() { return {.form = "scores", .background = "present", .value = "probability"}; }

}  // namespace seedbed::study
