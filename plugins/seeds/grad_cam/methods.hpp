#pragma once

#include <memory>

#include "grad_cam_manifest.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"

/// The methods of this folder. All throw UserError for parameters that do not work with the backbone.
namespace seedbed::grad_cam {

std::shared_ptr<SeedGenerator> make_grad_cam(const GradCamParameters& parameters, const ModelContext& context);
std::shared_ptr<SeedGenerator> make_grad_cam_pp(const GradCamPpParameters& parameters, const ModelContext& context);
std::shared_ptr<SeedGenerator> make_layer_cam(const LayerCamParameters& parameters, const ModelContext& context);
std::shared_ptr<SeedGenerator> make_score_cam(const ScoreCamParameters& parameters, const ModelContext& context);

}  // namespace seedbed::grad_cam
