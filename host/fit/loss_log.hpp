#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace seedbed::fit {

/// The course of one loss term: each point is the mean of the steps since the point before.
struct LossCurve {
  std::vector<double> steps;
  std::vector<double> values;
};

/// Loss terms of every step, kept as at most `kMaximumPoints` points a term.
class LossLog {
 public:
  static constexpr std::int64_t kMaximumPoints = 512;

  explicit LossLog(std::int64_t num_steps);

  /// `value` is the term before its weight.
  void add(std::int64_t step, const std::string& term, double value);

  /// Curves so far; an unfinished point at the end is included.
  std::map<std::string, LossCurve> curves() const;

  /// Each term's value at the last step that had it.
  const std::map<std::string, double>& last() const { return last_; }

  nlohmann::ordered_json state() const;
  void load_state(const nlohmann::ordered_json& state);

 private:
  struct Open {
    std::int64_t bucket = 0;
    std::int64_t last_step = 0;
    std::int64_t count = 0;
    double sum = 0;
  };

  std::int64_t steps_per_point_;
  std::map<std::string, LossCurve> curves_;
  std::map<std::string, Open> open_;
  std::map<std::string, double> last_;
};

}  // namespace seedbed::fit
