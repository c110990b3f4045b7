#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "csv_table.hpp"
#include "evaluation_goldens.hpp"
#include "metrics/pointing.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kNumLabels = 21;
constexpr double kEnergyTolerance = 1e-6;  ///< relative, from index.toml

std::vector<std::int64_t> as_counts(const nlohmann::json& numbers) {
  std::vector<std::int64_t> counts;
  for (const auto& number : numbers) counts.push_back(static_cast<std::int64_t>(number.get<double>()));
  return counts;
}

}  // namespace

void expect_pointing(const EvaluationGolden& golden) {
  const auto inputs = golden.open_inputs();
  const CsvTable table = read_csv(golden.expected_file("pointing.csv"));
  ASSERT_FALSE(table.rows.empty());
  const nlohmann::json expected = golden.expected_json();
  for (const int tolerance : {0, 1, 5, 15}) {
    SCOPED_TRACE(tolerance);
    metrics::PointingGame game(kNumLabels);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      const auto label = static_cast<std::int64_t>(table.at(row, "class"));
      const std::string image = std::to_string(static_cast<int>(table.at(row, "image")));
      const at::Tensor truth = inputs->tensor("gt." + image);
      const at::Tensor map = inputs->tensor("heat." + image + "." + std::to_string(label));
      const metrics::Point point = metrics::largest_at(map);
      EXPECT_EQ(point.row, table.at(row, "y"));
      EXPECT_EQ(point.column, table.at(row, "x"));
      const bool hit = metrics::points_at(truth, label, point, tolerance);
      EXPECT_EQ(hit, table.at(row, "hit_tolerance_" + std::to_string(tolerance)) > 0) << row;
      game.add(label, hit);
      for (const auto& [column, without_void] :
           {std::pair("energy_inside", false), std::pair("energy_inside_void_excluded", true)}) {
        const double energy = table.at(row, column);
        expect_value(metrics::energy_inside(map, truth, label, without_void), energy, kEnergyTolerance * energy);
      }
    }
    const nlohmann::json& summary = expected["tolerance " + std::to_string(tolerance)];
    EXPECT_EQ(game.hits(), as_counts(summary["hits"]));
    EXPECT_EQ(game.misses(), as_counts(summary["misses"]));
    expect_value(game.mean_all(), summary["mean_all_21_classes_unseen_zero (TorchRay)"], golden.tolerance);
    expect_value(game.mean_seen(), summary["mean_seen_classes"], golden.tolerance);
    expect_value(game.pooled(), summary["pooled"], golden.tolerance);
  }
}

}  // namespace seedbed::testing
