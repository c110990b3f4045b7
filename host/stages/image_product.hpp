#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

namespace seedbed::stages {

/// What a map stage makes of one image: maps or labels (N = 1), and what comes with them.
///
/// `planes` names the planes that there are: an image without any class has maps of no plane ([1,0,h,w]), and
/// class-agnostic maps have one plane and no name for it.
struct ImageProduct {
  std::int64_t height_px = 0;  ///< of the image
  std::int64_t width_px = 0;
  std::optional<ScoreMaps> maps;
  std::optional<LabelMaps> labels;
  at::Tensor logits_c;                             ///< [C] image-level scores; undefined where the method has none
  std::optional<std::vector<Instance>> instances;  ///< beside maps, of methods that find objects
  NamedTensors side;                               ///< side artefacts, leading dimension 1; never written
};

}  // namespace seedbed::stages
