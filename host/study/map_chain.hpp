#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "seedbed/manifest.hpp"
#include "study/findings.hpp"
#include "study/table_reader.hpp"

namespace seedbed::study {

/// What flows down a chain of maps, and whether each step fits the one before it.
class MapChain {
 public:
  /// `giver` made the first maps; named in errors. `ends_in_argmax`: a plane is wanted at the end.
  MapChain(MapType maps, std::string giver, bool ends_in_argmax, Findings& findings)
      : maps_(std::move(maps)), giver_(std::move(giver)), ends_in_argmax_(ends_in_argmax), findings_(findings) {}

  bool has_background() const { return maps_.background == "present"; }
  bool is_labels() const { return maps_.form == "labels"; }
  bool lacks_plane() const { return !is_labels() && !has_background(); }

  /// A background plane is added by a rule that was written at `place`.
  void add_background(const Place& place);

  /// What flows on are labels that `rule` made.
  void become_labels(std::string rule);

  /// A refiner that is switched off would have added the plane by `rule`: whoever needs one further down gets it, so
  /// that cells with and without the refiner differ in nothing else.
  void leave_background(Json rule) { left_ = std::move(rule); }

  /// The rule of a plane that was left, if `taker` needs it and there is none yet.
  std::optional<Json> left_background_for(const MethodManifest& taker) const;
  std::optional<Json> left_background_for_argmax() const;

  /// `refiner` takes the maps and gives others; its entry stands at `place`.
  void refine(const MethodManifest& refiner, const Place& place);

  /// `rule` makes labels of the maps.
  void label(std::string_view rule, const Place& place);

 private:
  void refuse(const Place& place, const std::string& taker, const std::string& takes, const std::string& gives,
              const std::string& hint);

  MapType maps_;
  std::string giver_;
  bool ends_in_argmax_;
  std::optional<Json> left_;
  Findings& findings_;
};

/// What a seed generator's maps are after fusion.
MapType fused_maps(const MethodManifest& generator);

/// What a segmenter's prediction is.
MapType predicted_maps();

}  // namespace seedbed::study
