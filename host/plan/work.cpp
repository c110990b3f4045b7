#include "plan/work.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace seedbed::plan {
namespace {

using protocol::StageState;
using protocol::StageType;

// Stages joined by edges, as a forest of representatives.
class Components {
 public:
  explicit Components(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0u); }

  std::size_t of(std::size_t item) {
    while (parent_[item] != item) item = parent_[item] = parent_[parent_[item]];
    return item;
  }
  // The smaller index represents, so groups are named alike from run to run.
  void join(std::size_t a, std::size_t b) {
    a = of(a);
    b = of(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

class WorkFinder {
 public:
  WorkFinder(const Plan& plan, const std::map<std::string, store::StageStatus>& statuses,
             const ArtefactsPresent& artefacts_present)
      : plan_(plan), statuses_(statuses), artefacts_present_(artefacts_present), count_(plan.stages.size()) {}

  Work find() {
    work_.needed.assign(count_, false);
    work_.keep.assign(count_, false);
    used_.assign(count_, false);
    for (std::size_t i = 0; i < count_; ++i) {
      if (is_goal(i)) demand(i, plan_.stages[i].keep_requested);
    }
    find_levels();
    settle_keeping();
    form_groups();
    for (std::size_t i = 0; i < count_; ++i) {
      work_.num_reused += used_[i] && !work_.needed[i] ? 1 : 0;
      work_.num_spared += !used_[i] ? 1 : 0;
    }
    return std::move(work_);
  }

 private:
  bool is_goal(std::size_t i) const {
    return plan_.stages[i].spec.type == StageType::score || plan_.stages[i].keep_requested;
  }

  bool is_available(std::size_t i, bool artefact_wanted) const {
    const auto status = statuses_.find(plan_.stages[i].spec.key);
    if (status == statuses_.end() || status->second.state != StageState::done) return false;
    return !artefact_wanted || artefacts_present_(plan_.stages[i], status->second);
  }

  void demand(std::size_t i, bool artefact_wanted) {
    used_[i] = true;
    if (work_.needed[i] || is_available(i, artefact_wanted)) return;
    work_.needed[i] = true;
    for (const std::size_t input : plan_.stages[i].inputs) demand(input, true);
  }

  // Maps stream to their readers; behind a fit or a choice comes the next level.
  bool streams(std::size_t input, std::size_t reader) const {
    return work_.needed[input] && plan_.stages[input].spec.type == StageType::map &&
           plan_.stages[reader].spec.type != StageType::fit;
  }

  void find_levels() {
    level_.assign(count_, 0);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!work_.needed[i]) continue;
      for (const std::size_t input : plan_.stages[i].inputs) {
        if (work_.needed[input]) level_[i] = std::max(level_[i], level_[input] + (streams(input, i) ? 0 : 1));
      }
    }
  }

  bool joined(std::size_t input, std::size_t reader) const {
    return streams(input, reader) && level_[input] == level_[reader];
  }

  void settle_keeping() {
    for (std::size_t i = 0; i < count_; ++i) {
      if (!work_.needed[i]) continue;
      const StageType type = plan_.stages[i].spec.type;
      work_.keep[i] = work_.keep[i] || type != StageType::map || plan_.stages[i].keep_requested;
      for (const std::size_t input : plan_.stages[i].inputs) {
        if (work_.needed[input] && !joined(input, i)) work_.keep[input] = true;
      }
    }
  }

  void form_groups() {
    Components components(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!work_.needed[i]) continue;
      for (const std::size_t input : plan_.stages[i].inputs) {
        if (joined(input, i)) components.join(input, i);
      }
    }
    std::map<std::size_t, std::size_t> group_of;  // representative -> group
    std::vector<std::size_t> group_of_stage(count_, 0);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!work_.needed[i]) continue;
      const auto [place, added] = group_of.emplace(components.of(i), work_.groups.size());
      if (added) work_.groups.push_back({plan_.stages[i].record.label, {}, {}});
      work_.groups[place->second].stages.push_back(i);
      group_of_stage[i] = place->second;
    }
    for (Group& group : work_.groups) {
      std::set<std::size_t> after;
      for (const std::size_t stage : group.stages) {
        for (const std::size_t input : plan_.stages[stage].inputs) {
          if (work_.needed[input] && !joined(input, stage)) after.insert(group_of_stage[input]);
        }
      }
      group.after.assign(after.begin(), after.end());
    }
  }

  const Plan& plan_;
  const std::map<std::string, store::StageStatus>& statuses_;
  const ArtefactsPresent& artefacts_present_;
  const std::size_t count_;
  Work work_;
  std::vector<bool> used_;
  std::vector<std::size_t> level_;
};

}  // namespace

Work outstanding_work(const Plan& plan, const std::map<std::string, store::StageStatus>& statuses,
                      const ArtefactsPresent& artefacts_present) {
  return WorkFinder(plan, statuses, artefacts_present).find();
}

}  // namespace seedbed::plan
