#include <string>
#include <utility>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "evaluation_goldens.hpp"
#include "metrics/average_precision.hpp"
#include "metrics/confusion.hpp"
#include "metrics/label_decision.hpp"

namespace seedbed::testing {
namespace {

using metrics::PrecisionForm;
using metrics::Ties;

const std::pair<const char*, PrecisionForm> kForms[] = {{"11_float", PrecisionForm::eleven_float},
                                                        {"11_exact", PrecisionForm::eleven_exact},
                                                        {"all_points", PrecisionForm::all_points},
                                                        {"sum_precision", PrecisionForm::sum}};

void expect_decision(const metrics::LabelDecision& found, const nlohmann::json& expected, double tolerance) {
  EXPECT_NEAR(found.overall_f1, expected["micro_f1"].get<double>(), tolerance);
  EXPECT_NEAR(found.class_f1, expected["macro_f1_zero_division_0"].get<double>(), tolerance);
  EXPECT_NEAR(found.class_precision, expected["CP_zero"].get<double>(), tolerance);
  EXPECT_NEAR(found.class_recall, expected["CR_zero"].get<double>(), tolerance);
  EXPECT_NEAR(found.overall_precision, expected["OP"].get<double>(), tolerance);
  EXPECT_NEAR(found.overall_recall, expected["OR"].get<double>(), tolerance);
  EXPECT_NEAR(found.exact_match, expected["exact_match"].get<double>(), tolerance);
  EXPECT_NEAR(found.label_accuracy, expected["hamming_accuracy"].get<double>(), tolerance);
}

}  // namespace

void expect_multilabel(const EvaluationGolden& golden) {
  const auto inputs = golden.open_inputs();
  const nlohmann::json expected = golden.expected_json();
  const at::Tensor scores = inputs->tensor("scores");
  for (const auto& [part, labels] :
       {std::pair("plain", inputs->tensor("y")), std::pair("with_ignored", inputs->tensor("y_with_ignored"))})
    for (const auto& [form_name, form] : kForms)
      for (const auto& [ties_name, ties] : {std::pair("stable", Ties::stable), std::pair("grouped", Ties::grouped)}) {
        const std::string key = std::string(form_name) + ", ties " + ties_name;
        SCOPED_TRACE(std::string(part) + " " + key);
        const auto values = metrics::average_precision(scores, labels, form, ties);
        expect_values(values, expected[part][key], golden.tolerance);
        expect_value(metrics::mean_defined(values), expected[part]["means over classes with a positive"][key],
                     golden.tolerance);
      }
  expect_value(metrics::map_macro(scores, inputs->tensor("y")),
               expected["plain"]["means over classes with a positive"]["sum_precision, ties grouped"],
               golden.tolerance);
  expect_decision(metrics::decide_labels(scores, inputs->tensor("y")), expected["at 0.5 (score > 0.5)"],
                  golden.tolerance);
}

}  // namespace seedbed::testing
