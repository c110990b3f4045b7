#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "study/map_chain.hpp"
#include "study/resolve_method.hpp"
#include "study/resolve_tables.hpp"
#include "study/roles.hpp"

// The parts of a cell, each read from its own table of the study. What is wrong is found and left out.
namespace seedbed::study {

/// What every part is read with.
struct CellContext {
  const MethodReader& methods;
  const Roles& roles;
  Findings& findings;
  Place place;  ///< of the study, for what is missing
};

/// What a cell makes that can be scored.
struct Scorable {
  bool seeds = false;
  bool instances = false;
  bool asks_classifier = false;  ///< the seeds are of a trained network that gives image-level scores
  bool pseudo_labels = false;
  bool predictions = false;
  bool segmenter_is_named = false;          ///< the study has one, even if this cell leaves it out
  std::vector<std::string> refiners;        ///< of this cell
  std::vector<std::string> named_refiners;  ///< those left out included
  std::vector<std::string> without_plane;   ///< `seeds` and refiners of this cell whose maps hold no background plane
  bool labels_need_plane = false;           ///< [pseudo_label] makes labels of maps by argmax alone
};

/// `[[refiner]]`: those that are enabled, in order. `chain`: the seeds; null where nothing makes any. `backbone`: the
/// study's, empty where it is wrong itself; null where there is none.
Json read_refiners(const Array& given, MapChain* chain, const std::optional<MethodChoice>* backbone,
                   const CellContext& context, Scorable& scorable);

/// What is done to the maps before the first refiner of a chain; its entry stands at `place`.
using ChainStart = std::function<void(MapChain& chain, const MethodManifest& first, const Place& place)>;

/// A list of METHOD that maps pass in order, each with its `name` and `background`. `chain`: what comes in; null where
/// nothing makes any. `on` ends the refusal of refiners that are fitted: "a trained refiner on predictions".
Json read_chain(const Array& given, MapChain* chain, const std::string& path, const std::string& on,
                const CellContext& context, const ChainStart& start = {});

/// A RULE that makes labels of the maps of `chain` (null where nothing makes any), with the `refiners` that the two label
/// maps of a rule of two pass. nullopt where it is not legal (which is found).
std::optional<Json> read_label_rule(const Table& table, const Place& place, const std::string& path, RuleUse use,
                                    const MapChain* chain, const CellContext& context);

/// `refiner.companions`: what the method's needs "maps:NAME" and "labels:NAME" name. `chain`: the maps before the
/// refiner, or null. `given`: the study's table, or null.
Json read_companions(const MethodChoice& method, const Node* given, const MapChain* chain, const std::string& path,
                     const CellContext& context);

/// `[pseudo_label]`. `chain`: the refined maps; null where nothing makes any.
Json read_pseudo_label(const Node& given, MapChain* chain, const CellContext& context);

/// `[segmenter]`; nullopt where it is not enabled. `backbone`: the study's, or null.
std::optional<Json> read_segmenter(const Node& given, const MethodChoice* backbone, bool has_pseudo_labels,
                                   const CellContext& context);

/// `[score]`. `given`: the study's table, or null.
Json read_score(const Node* given, const Scorable& scorable, const CellContext& context);

/// `[execution]`, workers and isolation included. `given`: the study's table, or null.
Json read_execution(const Node* given, Findings& findings);

/// Finds wrong that `user` ("seed generator", "refiner") lacks the network it needs, or that the network cannot serve it.
/// Taps are told by the worker, with their names. `backbone` as in `read_refiners`.
void check_network(const MethodChoice& method, const std::string& user, const std::optional<MethodChoice>* backbone,
                   Findings& findings);

/// Finds a `train` table wrong whose method is not trained, whatever its parameters.
void refuse_needless_train(const MethodChoice& choice, const Node* train, Findings& findings);

}  // namespace seedbed::study
