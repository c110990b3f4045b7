// PRM: peaks and their gradient, and the rule that traces a peak back.
#include <array>
#include <string>

#include <ATen/ATen.h>

#include "peak_response_rule.hpp"
#include "peak_stimulation.hpp"
#include "runners.hpp"

namespace seedbed::testing {
namespace {

NamedTensors stimulation(const Golden& golden) {
  NamedTensors found;
  for (const std::int64_t window : {3, 5}) {
    for (const char* filter : {"none", "median", "mean"}) {
      const std::string suffix = "_w" + std::to_string(window) + "_" + filter;
      const at::Tensor maps = golden.input("maps").clone().set_requires_grad(true);
      const at::Tensor peaks = prm::peaks_of(maps, {.window = window, .filter = filter});
      const at::Tensor scores = prm::stimulate(maps, peaks, false);
      at::Tensor upstream = at::ones_like(scores);
      upstream.select(1, 0).fill_(0.5);
      scores.backward(upstream);
      found["peaks" + suffix] = peaks.nonzero();
      found["score" + suffix] = scores.detach();
      found["dmaps_code" + suffix] = maps.grad();
    }
  }
  return found;
}

NamedTensors back_propagation(const Golden& golden) {
  const at::Tensor image = golden.input("image").clone().set_requires_grad(true);
  prm::PeakResponseRule rule;
  const auto convolve = [&](const at::Tensor& input, const char* layer, at::IntArrayRef shape, std::int64_t stride) {
    return rule.convolve({}, input, golden.weight(std::string(layer) + ".weight", shape),
                         golden.weight(std::string(layer) + ".bias", {shape[0]}),
                         {{stride, stride}, {1, 1}, {1, 1}, 1});
  };
  const at::Tensor maps = convolve(convolve(image, "conv1", {6, 3, 3, 3}, 2).relu(), "conv2", {4, 6, 3, 3}, 1);
  NamedTensors found{{"maps", maps.detach()}};
  const std::array<std::array<std::int64_t, 3>, 2> peaks{{{0, 3, 4}, {3, 0, 0}}};
  for (std::size_t i = 0; i < peaks.size(); ++i) {
    at::Tensor start = at::zeros_like(maps);
    start[0][peaks[i][0]][peaks[i][1]][peaks[i][2]] = 1;
    maps.backward(start, /*retain_graph=*/true);
    found["grad_" + std::to_string(i)] = image.grad().clone();
    found["response_" + std::to_string(i)] = prm::responses_from(image.grad());
    image.mutable_grad().reset();
  }
  return found;
}

}  // namespace

std::vector<GoldenRunner> prm_runners() {
  return {
      {"prm", "PeakStimulation", "", stimulation},
      {"prm", "pr_conv2d", "", back_propagation},
  };
}

}  // namespace seedbed::testing
