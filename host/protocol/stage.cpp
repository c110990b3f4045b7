#include "protocol/stage.hpp"

#include <array>
#include <utility>

#include "protocol/revisions.hpp"
#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<StageType, 4> kTypes{
    {{StageType::fit, "fit"}, {StageType::map, "map"}, {StageType::choose, "choose"}, {StageType::score, "score"}}};
constexpr Names<StageState, 6> kStates{{{StageState::planned, "planned"},
                                        {StageState::running, "running"},
                                        {StageState::done, "done"},
                                        {StageState::failed, "failed"},
                                        {StageState::interrupted, "interrupted"},
                                        {StageState::skipped, "skipped"}}};
constexpr Names<Cause, 9> kCauses{{{Cause::none, "none"},
                                   {Cause::user_error, "user_error"},
                                   {Cause::contract_error, "contract_error"},
                                   {Cause::crash, "crash"},
                                   {Cause::out_of_memory, "out_of_memory"},
                                   {Cause::timeout, "timeout"},
                                   {Cause::interrupted, "interrupted"},
                                   {Cause::device_lost, "device_lost"},
                                   {Cause::internal, "internal"}}};

template <typename Enum, std::size_t N>
std::string_view name_in(const Names<Enum, N>& names, Enum value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  throw ContractError("protocol", "enumerations hold declared values only", "a declared value",
                      std::to_string(static_cast<int>(value)));
}

template <typename Enum, std::size_t N>
Enum value_in(const Names<Enum, N>& names, std::string_view text, std::string_view what) {
  std::string legal;
  for (const auto& [value, name] : names) {
    if (name == text) return value;
    legal += (legal.empty() ? "`" : ", `") + std::string(name) + "`";
  }
  throw ContractError("protocol", "a " + std::string(what) + " is named as the protocol names it", legal,
                      "`" + std::string(text) + "`");
}

struct Operation {
  StageType type;
  std::string_view name;
  std::int64_t revision;
};

constexpr std::array<Operation, 15> kOperations{{{StageType::fit, "seed_generator", 1},
                                                 {StageType::fit, "refiner", 1},
                                                 {StageType::fit, "segmenter", 1},
                                                 {StageType::map, "seeds", 1},
                                                 {StageType::map, "refine", 1},
                                                 {StageType::map, "label", 1},
                                                 {StageType::map, "agree", 1},
                                                 {StageType::map, "predict", 1},
                                                 {StageType::choose, "threshold", 1},
                                                 {StageType::score, "sweep", 1},
                                                 {StageType::score, "labels", 1},
                                                 {StageType::score, "maps", 1},
                                                 {StageType::score, "causal", 1},
                                                 {StageType::score, "classification", 1},
                                                 {StageType::score, "instances", 1}}};

}  // namespace

std::string_view name_of(StageType type) { return name_in(kTypes, type); }
std::string_view name_of(StageState state) { return name_in(kStates, state); }
std::string_view name_of(Cause cause) { return name_in(kCauses, cause); }
StageType stage_type_from(std::string_view name) { return value_in(kTypes, name, "stage type"); }
StageState stage_state_from(std::string_view name) { return value_in(kStates, name, "stage state"); }
Cause cause_from(std::string_view name) { return value_in(kCauses, name, "cause"); }

std::int64_t host_revision(StageType type, std::string_view operation) {
  for (const Operation& known : kOperations) {
    if (known.type == type && known.name == operation) return known.revision;
  }
  throw ContractError("protocol", "a stage names an operation of its type",
                      "an operation of " + std::string(name_of(type)), "`" + std::string(operation) + "`");
}

}  // namespace seedbed::protocol
