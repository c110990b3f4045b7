// The dense CRF under every preset, and the label rules that it stands in: IRN's, AFA's, CLIP-ES's.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contract/methods_under_test.hpp"
#include "images/decode.hpp"
#include "runners.hpp"
#include "seedbed/kernels/dense_crf.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/refiner.hpp"
#include "stages/agreement.hpp"
#include "stages/rule.hpp"
#include "support/shared_folder.hpp"
#include "weights/npy.hpp"

namespace seedbed::testing {
namespace {

using stages::Json;

/// The parameters of a preset, as a study gets them.
ParameterValues preset_values(const std::string& name) {
  const std::vector<Preset>& presets = method_under_test(MethodKind::refiner, "dense_crf").manifest.presets;
  const auto preset = std::ranges::find(presets, name, &Preset::name);
  if (preset == presets.end()) throw std::runtime_error("no preset `" + name + "`");
  return preset->parameters;
}

/// Fails the running test unless the preset has the golden's numbers.
void expect_numbers_of(const Golden& golden, const ParameterValues& preset) {
  const MethodManifest& manifest = method_under_test(MethodKind::refiner, "dense_crf").manifest;
  for (const char* name : {"gauss_sigma", "gauss_weight", "bilateral_xy", "bilateral_rgb", "bilateral_weight"}) {
    const auto spec = std::ranges::find(manifest.parameters, name, &ParameterSpec::name);
    const auto given = preset.find(name);
    const ParameterValue& value = given == preset.end() ? spec->default_value : given->second;
    EXPECT_EQ(std::get<double>(coerced(*spec, value)), golden.number(name)) << name;
  }
}

ScoreMaps maps_of(const at::Tensor& planes_phw, std::vector<std::int64_t> planes) {
  ScoreMaps maps;
  maps.scores_nphw = planes_phw.unsqueeze(0);
  maps.planes = std::move(planes);
  maps.covered = {{0, 0, static_cast<double>(planes_phw.size(1)), static_cast<double>(planes_phw.size(2))}};
  return maps;
}

/// Maps through the plugin, with one image of their size.
ScoreMaps refined(const at::Tensor& image_hwc, const ScoreMaps& maps, const ParameterValues& parameters) {
  FakeRun run;
  RefineRequest request;
  request.images_nhwc = image_hwc.unsqueeze(0);
  request.maps = maps;
  request.run = &run;
  return make<Refiner>(MethodKind::refiner, "dense_crf", contract_context(run, 3, false), parameters)
      ->refine(request)
      .maps;
}

at::Tensor marginals(const at::Tensor& image_hwc, const at::Tensor& probabilities_khw, ParameterValues parameters,
                     std::int64_t iterations) {
  std::vector<std::int64_t> planes;
  for (std::int64_t k = 0; k < probabilities_khw.size(0); ++k) planes.push_back(k);
  parameters["iterations"] = iterations;
  return refined(image_hwc, maps_of(probabilities_khw, planes), parameters).scores_nphw[0];
}

at::Tensor label(const at::Tensor& marginals_khw) { return marginals_khw.argmax(0).to(at::kByte); }

at::Tensor every(const at::Tensor& planes_khw, std::int64_t step) {
  return planes_khw.slice(1, 0, {}, step).slice(2, 0, {}, step).contiguous();
}

// What goldens of agreement say beside it: the mean difference of their marginals.
void expect_small_mean_difference(const Golden& golden, const NamedTensors& found) {
  for (const auto& [name, tensor] : found) {
    if (!name.starts_with("marginals")) continue;
    EXPECT_LE((tensor - golden.output(name)).abs().mean().item<double>(), 2e-3) << name;
  }
}

at::Tensor probabilities(const Golden& golden, const at::Tensor& image_hwc) {
  const at::Tensor logits =
      kernels::resize_maps(golden.input("logits_low"), image_hwc.size(0), image_hwc.size(1), false);
  return logits.softmax(0);
}

/// "crf_toco_cam" is of preset toco_cam; others name theirs. DeepLab's golden is of plain colours first.
std::string preset_of(const Golden& golden) {
  const std::string name = golden.text("preset", golden.name().substr(std::string("crf_").size()));
  return name == "deeplab" ? "deeplab_rgb" : name;
}

NamedTensors lattice_marginals(const Golden& golden) {
  const at::Tensor image = golden.input("image"), given = probabilities(golden, image);
  ParameterValues preset = preset_values(preset_of(golden));
  expect_numbers_of(golden, preset);
  preset["unary"] = std::string(golden.name() == "crf_irn_hard" ? "argmax" : "scores");  // softmax is the input here
  const auto iterations = static_cast<std::int64_t>(golden.number("iterations"));
  const at::Tensor all = marginals(image, given, preset, iterations);
  const auto step = static_cast<std::int64_t>(golden.number("marginals_step", 1));
  NamedTensors found{{"marginals", every(all, step)}, {"label", label(all)}};
  found["marginals_1_iteration"] = every(marginals(image, given, preset, 1), 2);
  if (golden.name() == "crf_deeplab") {
    const at::Tensor wrapped = marginals(image, given, preset_values("deeplab"), iterations);
    found["image_bgr_mean_wrapped"] = kernels::bgr_mean_wrapped(image);
    found["marginals_bgr_mean_wrapped"] = every(wrapped, 2);
    found["label_bgr_mean_wrapped"] = label(wrapped);
  }
  if (step != 1) found.erase("marginals_1_iteration");
  expect_small_mean_difference(golden, found);
  return found;
}

NamedTensors exact_marginals(const Golden& golden) {
  const at::Tensor image = golden.input("image"), given = probabilities(golden, image);
  ParameterValues preset = preset_values(preset_of(golden));
  const auto iterations = static_cast<std::int64_t>(golden.number("iterations"));
  const at::Tensor on_lattice = marginals(image, given, preset, iterations);
  preset["filter"] = std::string("exact");
  const at::Tensor all = marginals(image, given, preset, iterations);
  return {{"marginals_1_iteration", marginals(image, given, preset, 1)},
          {"marginals", all},
          {"label", label(all)},
          {"lattice_label", label(on_lattice)}};
}

/// One half of a rule of two constants: the plane of `value`, the CRF on hard labels, its argmax.
at::Tensor hard_labels(const at::Tensor& image_hwc, const ScoreMaps& cams, double value) {
  const std::int64_t height = image_hwc.size(0), width = image_hwc.size(1);
  const stages::Rule rule = stages::rule_from({{"rule", "threshold"}, {"value", value}}, {});
  const ScoreMaps maps = stages::with_background(rule, cams, height, width);
  const ScoreMaps clean = refined(image_hwc, maps, preset_values("irn_hard"));
  return stages::labels_by(stages::rule_from({{"rule", "argmax"}}, {}), clean, height, width).labels_nhw;
}

at::Tensor confident_labels(const at::Tensor& image_hwc, const ScoreMaps& cams, double foreground, double background) {
  return stages::agreed_labels(hard_labels(image_hwc, cams, foreground), hard_labels(image_hwc, cams, background),
                               /*background_wins=*/false, kIgnoreLabel)[0];
}

ScoreMaps class_maps(const at::Tensor& cam_low, const at::Tensor& labels, std::int64_t height, std::int64_t width) {
  const at::Tensor cams = kernels::resize_maps(cam_low, height, width, false)[0].clamp(0, 1);
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < labels.numel(); ++i) classes.push_back(labels[i].item<std::int64_t>());
  return maps_of(cams, classes);
}

NamedTensors irn_labels(const Golden& golden) {
  const at::Tensor image = golden.input("image");
  const std::int64_t height = image.size(0), width = image.size(1);
  const ScoreMaps cams = class_maps(golden.input("cam_low"), golden.input("keys"), height, width);
  const double high = golden.number("fg"), low = golden.number("bg");
  const Json rule{{"rule", "two_thresholds"}, {"high", high}, {"low", low}};
  return {{"label", confident_labels(image, cams, high, low)},
          {"label_without_crf", stages::labels_by(stages::rule_from(rule, {}), cams, height, width).labels_nhw[0]}};
}

// Image and maps at half their size; the image is turned back to bytes by truncation.
NamedTensors afa_labels(const Golden& golden) {
  const at::Tensor image = golden.input("image");
  const auto scale = static_cast<std::int64_t>(golden.number("scale"));
  const std::int64_t height = image.size(0) / scale, width = image.size(1) / scale;
  const at::Tensor floats = image.permute({2, 0, 1}).to(at::kFloat).contiguous();
  const at::Tensor small =
      kernels::resize_maps(floats, height, width, false).to(at::kByte).permute({1, 2, 0}).contiguous();
  const at::Tensor places = golden.input("label")[0].nonzero().flatten();
  const at::Tensor cams =
      kernels::resize_maps(golden.input("cam_low"), image.size(0), image.size(1), false).clamp(0, 1);
  const ScoreMaps maps = class_maps(cams.index_select(1, places), places + 1, height, width);
  const at::Tensor labels = confident_labels(small, maps, golden.number("fg"), golden.number("bg"));
  return {{"fg_bg_label", labels.unsqueeze(0).to(at::kLong)}};
}

NamedTensors clip_es_labels(const Golden& golden) {
  const at::Tensor image = golden.input("image"), cams = golden.input("cams"), keys = golden.input("keys");
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < keys.numel(); ++i) classes.push_back(keys[i].item<std::int64_t>() + 1);
  const stages::Rule power = stages::rule_from({{"rule", "power"}, {"alpha", golden.number("gamma")}}, {});
  const ScoreMaps maps = stages::with_background(power, maps_of(cams, classes), image.size(0), image.size(1));
  const Json rule{{"rule", "argmax"}, {"ignore_below", golden.number("ignore_below")}};
  NamedTensors found;
  for (const auto& [name, preset] : {std::pair("wrapped", "clip_es"), std::pair("rgb", "deeplab_rgb")}) {
    const ScoreMaps clean = refined(image, maps, preset_values(preset));
    found["marginals_" + std::string(name)] = clean.scores_nphw[0];
    found["label_" + std::string(name)] =
        stages::labels_by(stages::rule_from(rule, {}), clean, image.size(0), image.size(1)).labels_nhw[0];
  }
  expect_small_mean_difference(golden, found);
  return found;
}

// Marginals of pydensecrf on windows of photographs: shared/data/golden-densecrf, its SOURCE.md for the bounds.
TEST(DenseCrfReference, MarginalsOfPydensecrfOnPhotographs) {
  SEEDBED_SHARED_OR_SKIP(folder, "data/golden-densecrf");
  for (int i = 0; i < 3; ++i) {
    const std::string start = std::to_string(i);
    const at::Tensor image = images::decode_image(folder / (start + "_image.png"));
    const at::Tensor given = weights::read_npy(folder / (start + "_probs.npy"));
    for (const auto& [config, preset] : {std::pair("irn_label", "irn_hard"), std::pair("psa_softmax", "psa"),
                                         std::pair("deeplab_voc", "deeplab_rgb")}) {
      SCOPED_TRACE(start + " " + config);
      const at::Tensor wanted = weights::read_npy(folder / (start + "_" + config + "_Q.npy"));
      const at::Tensor found = marginals(image, given, preset_values(preset), 10);
      ASSERT_EQ(found.sizes(), wanted.sizes());
      EXPECT_LE((found - wanted).abs().mean().item<double>(), 2e-3);
      EXPECT_GE(label(found).eq(label(wanted)).to(at::kDouble).mean().item<double>(), 0.995);
    }
  }
}

}  // namespace

std::vector<GoldenRunner> dense_crf_runners() {
  return {
      {"dense_crf", "DenseCRF2D", "", lattice_marginals},
      {"dense_crf_exact", "mean field with O(N^2) Gaussian sums", "", exact_marginals},
      {"irn", "inline code, crf_inference_label", "", irn_labels},
      {"afa", "cam_to_fg_bg_label", "", afa_labels},
      {"clip_es", "DenseCRF class with the script's settings", "", clip_es_labels},
  };
}

}  // namespace seedbed::testing
