#pragma once

#include <memory>

#include "cam_manifest.hpp"
#include "seedbed/classifier_generator.hpp"

namespace seedbed::cam {

/// Class activation maps: the classifier's weights, applied cell by cell.
class Cam final : public ClassifierGenerator {
 public:
  /// Throws: what ClassifierGenerator's does.
  Cam(const CamParameters& parameters, const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;

 private:
  bool map_bias_;
  bool maps_of_input_size_;
};

}  // namespace seedbed::cam
