#pragma once

#include <string>

namespace seedbed::testing {

/// How a small study begins: one thread, scenes of 48 px. `roles` is what stands between the braces.
inline std::string on_small_scenes(const std::string& roles) {
  return R"(schema = 1
[execution]
threads = 1
[dataset]
kind = "scenes"
height_px = 48
width_px = 48
roles = { )" +
         roles + " }\n";
}

/// A study of every stage type that takes a few seconds: two grid points, two random seeds, 48 px scenes.
inline std::string small_study() {
  return on_small_scenes("train = \"0..24\", measure = \"0..12\", select = \"24..30\", test = \"30..42\"") + R"(
[study]
name = "small"
random_seeds = [0, 1]

[backbone]
method = "small_cnn"

[seed_generator]
method = "cam"
train = { epochs = 2, batch_size = 8, learning_rate = 0.05 }
localise = { scales = [1.0], flip = true, fusion = "plain" }

[[refiner]]
name = "pamr"
method = "pamr"

[pseudo_label]
background = { rule = "threshold", choose = { on = "select" } }

[segmenter]
backbone = { method = "small_cnn" }
head = { method = "linear" }
loss = [{ method = "cross_entropy" }]
train = { epochs = 1, batch_size = 8, learning_rate = 0.05 }

[score]
targets = ["image_labels", "seeds", "pseudo_labels", "predictions"]
roles = ["measure", "test"]

[[grid]]
  [[grid.axis]]
  name = "pamr"
  key = "refiner.pamr.enabled"
  values = [true, false]
)";
}

}  // namespace seedbed::testing
