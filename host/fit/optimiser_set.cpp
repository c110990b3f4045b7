#include "fit/optimiser_set.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "fit/schedule.hpp"
#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

void apply_factors(const TrainSettings& settings, std::vector<ParameterGroup>& groups) {
  std::vector<std::string> names;
  for (const ParameterGroup& group : groups) names.push_back(group.name);
  for (const auto& [name, factors] : settings.groups) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw UserError("train.groups." + name, "The method has no such group of parameters: `" + name + "`.",
                      "its groups are named like `" + nearest_name(name, names) + "`");
    }
    for (ParameterGroup& group : groups) {
      if (group.name != name) continue;
      group.learning_rate_factor = factors.learning_rate_factor.value_or(group.learning_rate_factor);
      group.weight_decay_factor = factors.weight_decay_factor.value_or(group.weight_decay_factor);
    }
  }
}

void check_disjoint(const std::vector<ParameterGroup>& groups) {
  std::set<const void*> seen;
  for (const ParameterGroup& group : groups) {
    for (const at::Tensor& parameter : group.parameters) {
      if (!seen.insert(parameter.unsafeGetTensorImpl()).second) {
        throw ContractError("parameter_groups", "every parameter is in exactly one group", "one group",
                            "a second one, `" + group.name + "`");
      }
    }
  }
}

using GroupsByOptimiser = std::map<std::string, std::vector<ParameterGroup>>;

void check_names(const TrainSettings& settings, const GroupsByOptimiser& groups) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : groups) names.push_back(name);
  for (const auto& [name, ignored] : settings.optimisers) {
    if (groups.contains(name)) continue;
    throw UserError("train.optimisers." + name, "The method's groups name no such optimiser: `" + name + "`.",
                    names.empty() ? "it has no groups" : "they name `" + nearest_name(name, names) + "`");
  }
}

}  // namespace

OptimiserSet::OptimiserSet(const TrainSettings& settings, std::vector<ParameterGroup> groups)
    : clip_norm_(settings.clip_norm) {
  apply_factors(settings, groups);
  check_disjoint(groups);
  GroupsByOptimiser by_optimiser;
  for (ParameterGroup& group : groups) by_optimiser[group.optimiser].push_back(std::move(group));
  check_names(settings, by_optimiser);
  for (auto& [name, own] : by_optimiser) {
    const auto found = settings.optimisers.find(name);
    const OptimiserSettings& chosen = found == settings.optimisers.end() ? settings.optimiser : found->second;
    entries_[name] = {chosen, make_optimiser(chosen, std::move(own))};
  }
}

std::map<std::string, double> OptimiserSet::learning_rates(const Position& position) const {
  std::map<std::string, double> rates;
  for (const auto& [name, entry] : entries_) {
    const ScheduleSettings& schedule = entry.settings.schedule;
    const double base = entry.settings.learning_rate;
    rates[name] = schedule.by_epoch ? learning_rate_at(schedule, base, position.epoch, position.num_epochs)
                                    : learning_rate_at(schedule, base, position.step, position.num_steps);
  }
  return rates;
}

void OptimiserSet::step(const Position& position) {
  const std::map<std::string, double> rates = learning_rates(position);
  for (auto& [name, entry] : entries_) {
    if (clip_norm_ > 0) clip_gradients(entry.optimiser->parameters(), clip_norm_);
    entry.optimiser->step(rates.at(name));
  }
}

void OptimiserSet::drop_gradients() {
  for (auto& [name, entry] : entries_) entry.optimiser->drop_gradients();
}

std::vector<at::Tensor> OptimiserSet::parameters() const {
  std::vector<at::Tensor> all;
  for (const auto& [name, entry] : entries_) {
    const std::vector<at::Tensor> own = entry.optimiser->parameters();
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

NamedTensors OptimiserSet::state() const {
  NamedTensors state;
  for (const auto& [name, entry] : entries_) {
    for (const auto& [slot, tensor] : entry.optimiser->state()) state[name + "/" + slot] = tensor;
  }
  return state;
}

void OptimiserSet::load_state(const NamedTensors& state) {
  std::map<std::string, NamedTensors> parts;
  for (const auto& [name, tensor] : state) {
    const std::size_t stroke = name.find('/');
    parts[name.substr(0, stroke)][name.substr(stroke + 1)] = tensor;
  }
  for (auto& [name, part] : parts) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      throw ContractError("parameter_groups", "groups are the same whenever a fit is resumed",
                          "an optimiser `" + name + "`", "none");
    }
    found->second.optimiser->load_state(part);
  }
}

}  // namespace seedbed::fit
