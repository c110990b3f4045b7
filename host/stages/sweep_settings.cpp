#include "stages/sweep_settings.hpp"

#include "seedbed/error.hpp"
#include "stages/rule.hpp"

namespace seedbed::stages {

metrics::Sweep make_sweep(const StageContext& context, const std::string& rule, const nlohmann::ordered_json& table) {
  const double from = table.value("from", 0.0);
  const double to = table.value("to", 0.99);
  const double step = table.value("step", 0.01);
  return metrics::Sweep(context.classes().num_classes() + 1, swept_background_from(rule),
                        metrics::sweep_values(from, to, step));
}

metrics::ImageSweep count_image(const metrics::Sweep& sweep, const ImageProduct& maps, const at::Tensor& mask_hw) {
  if (maps.maps->has_background()) {
    throw UserError("", "Thresholds are swept over maps without a background plane.",
                    "score the labels of `argmax` instead");
  }
  const at::Tensor planes = planes_at_image(*maps.maps, mask_hw.size(0), mask_hw.size(1));
  return sweep.count(planes, maps.maps->planes, mask_hw);
}

std::string swept_name(const std::string& rule) { return rule == "power" ? "alpha" : "threshold"; }

}  // namespace seedbed::stages
