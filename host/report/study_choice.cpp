#include "report/study_choice.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/query_values.hpp"
#include "seedbed/error.hpp"

namespace seedbed::report {
namespace {

std::vector<std::string> study_names(const store::Store& store) {
  std::vector<std::string> names;
  for (const auto& row : store.query("SELECT name FROM studies GROUP BY name ORDER BY max(recency) DESC").rows) {
    names.push_back(text(row[0]));
  }
  return names;
}

[[noreturn]] void fail_for_unknown(const store::Store& store, const std::string& name) {
  const std::vector<std::string> names = study_names(store);
  const std::string nearest = nearest_name(name, names);
  throw UserError(store.file().string(), fmt::format("The store holds no study of this name: `{}`.", name),
                  nearest.empty() ? fmt::format("it holds: {}", fmt::join(names, ", "))
                                  : fmt::format("did you mean `{}`?", nearest));
}

}  // namespace

std::vector<ChosenStudy> chosen_studies(const store::Store& store, const std::string& name, bool every_limit) {
  const store::QueryResult found = store.query(
      "SELECT id, name, plan_digest, images_limit, axes_json, report_json, exclusions_json FROM studies "
      "WHERE ?1 IN ('', name) ORDER BY recency DESC",
      {name});
  if (found.rows.empty()) {
    if (!name.empty() && !study_names(store).empty()) fail_for_unknown(store, name);
    throw UserError(store.file().string(), "The store holds no study yet.", "run one: `seedbed run STUDY`");
  }
  std::vector<ChosenStudy> chosen;
  for (const auto& row : found.rows) {
    const std::int64_t limit = integer(row[3]);
    if (!chosen.empty() && (!every_limit || text(row[1]) != chosen.front().name)) continue;
    if (std::any_of(chosen.begin(), chosen.end(), [&](const auto& s) { return s.images_limit == limit; })) continue;
    chosen.push_back({integer(row[0]), text(row[1]), text(row[2]), limit,
                      store::Json::parse(text(row[4])).get<std::vector<std::string>>(),
                      store::Json::parse(text(row[5])), store::Json::parse(text(row[6]))});
  }
  return chosen;
}

}  // namespace seedbed::report
