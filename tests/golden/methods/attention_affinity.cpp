// Maps spread along attention: CLIP-ES, AFA, MCTformer.
#include <ATen/ATen.h>

#include "propagation.hpp"
#include "runners.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::testing {
namespace {

using namespace attention_affinity;

NamedTensors boxes(const Golden& golden) {
  const std::vector<double> thresholds = golden.numbers("thresholds");
  NamedTensors found;
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    const std::string number = std::to_string(i);
    const at::Tensor map = golden.input("map_" + number);
    found["mask_" + number] = evidence_boxes(map, thresholds[i], "reference").to(at::kByte);
    found["mask_inclusive_" + number] = evidence_boxes(map, thresholds[i], "inclusive").to(at::kByte);
  }
  return found;
}

NamedTensors class_aware(const Golden& golden) {
  const at::Tensor transition =
      balanced(golden.input("attention_mean"), static_cast<std::int64_t>(golden.number("sinkhorn")), /*squarings=*/1);
  NamedTensors found{{"transition", transition}};
  for (const std::string name : {"smooth", "one_cell", "last_column"}) {
    const at::Tensor map = golden.input("cam_" + name);
    for (const double threshold : golden.numbers("thresholds")) {
      const std::string suffix = name + "_t" + std::to_string(static_cast<int>(10 * threshold + 0.5));
      const at::Tensor mask = evidence_boxes(map, threshold, "reference");
      const at::Tensor refined = gathered((map * mask).unsqueeze(0), transition);
      found["mask_" + suffix] = mask.to(at::kByte);
      found["refined_" + suffix] = refined[0];
      found["scaled_" + suffix] = scaled(refined)[0];
    }
  }
  return found;
}

NamedTensors afa_propagation(const Golden& golden) {
  const at::Tensor affinities = golden.input("affinity"), maps = golden.input("cams"), labels = golden.input("label");
  const std::int64_t images = maps.size(0), classes = maps.size(1), height = maps.size(2), width = maps.size(3);
  const auto transition = [&](std::int64_t image, double epsilon) {
    // The window comes as an input of its own.
    return windowed(affinities[image] * golden.input("mask"), height, width, 0, golden.number("exponent"), epsilon);
  };
  const auto with_background = [&](double background) {
    at::Tensor result = at::zeros({images, classes + 1, height, width});
    for (std::int64_t n = 0; n < images; ++n) {
      const at::Tensor planes = at::cat({at::full({1, height, width}, background), maps[n]});
      const at::Tensor present = at::cat({at::ones({1}), labels[n]}).nonzero().flatten();
      result[n].index_copy_(
          0, present,
          distributed(planes.index_select(0, present).softmax(0), transition(n, golden.number("eps_with_bkg"))));
    }
    return result;
  };
  std::vector<at::Tensor> plain;
  for (std::int64_t n = 0; n < images; ++n) {
    plain.push_back(distributed(maps[n], transition(n, golden.number("eps_plain"))));
  }
  return {{"with_bkg_35", with_background(0.35)}, {"with_bkg_55", with_background(0.55)}, {"plain", at::stack(plain)}};
}

// The views' maps spread by the patch attention; every second view is mirrored.
NamedTensors mctformer_maps(const Golden& golden) {
  const std::vector<double> size = golden.numbers("image"), classes = golden.numbers("classes");
  at::Tensor sum;
  for (const int view : {0, 1}) {
    const std::string number = std::to_string(view);
    const at::Tensor attention = golden.input("patch_attention_" + number).sum(0)[0];
    const at::Tensor large =
        kernels::resize_maps(gathered(golden.input("map_" + number)[0], attention).unsqueeze(0),
                             static_cast<std::int64_t>(size[0]), static_cast<std::int64_t>(size[1]), false)[0];
    const at::Tensor upright = view == 1 ? large.flip(2) : large;
    sum = sum.defined() ? sum + upright : upright;
  }
  const at::Tensor normalised = scaled(sum);
  NamedTensors found;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    found["cam_" + std::to_string(static_cast<int>(classes[c]))] = normalised[static_cast<std::int64_t>(c)];
  }
  return found;
}

}  // namespace

std::vector<GoldenRunner> attention_affinity_runners() {
  return {{"clip_es", "scoremap2bbox (union of boxes)", "", boxes},
          {"clip_es", "inline CAA code, scoremap2bbox, scale_cam_image", "", class_aware},
          {"afa", "propagte_aff_cam_with_bkg, propagte_aff_cam", "", afa_propagation},
          {"mctformer", "generate_attention_maps_ms", "", mctformer_maps}};
}

}  // namespace seedbed::testing
